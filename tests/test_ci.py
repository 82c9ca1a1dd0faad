"""CI runs the README's two commands on every supported version, with minimal permissions."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs import ROOT
from tests.project import PROJECT, pythons

WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
JOBS: dict[str, dict[str, Any]] = WORKFLOW["jobs"]
STEPS = [step for job in JOBS.values() for step in job["steps"]]
TRUSTED = {"actions/checkout", "actions/setup-python"}


def commands(job: dict[str, Any]) -> list[str]:
    """Return the commands that a job runs."""
    return [step["run"] for step in job["steps"] if "run" in step]


@pytest.mark.parametrize("job", JOBS)
def test_each_job_runs_the_two_commands_of_the_readme_and_nothing_else(job):
    readme = (ROOT / "README.md").read_text()
    makefile = (ROOT / "Makefile").read_text()

    assert commands(JOBS[job]) == ["make run", "make test"]
    for command in commands(JOBS[job]):
        assert re.search(rf"^{command}\b", readme, re.MULTILINE)
        assert re.search(rf"^{command.removeprefix('make ')}:", makefile, re.MULTILINE)


def test_every_python_that_the_package_promises_is_tried():
    assert JOBS["python"]["strategy"]["matrix"]["python"] == pythons()


def test_every_postgresql_that_the_package_promises_is_tried():
    promised = re.search(r"PostgreSQL (\d+) to (\d+)", (ROOT / "README.md").read_text())
    assert promised

    tried = JOBS["postgres"]["strategy"]["matrix"]["postgres"]
    assert tried == [str(x) for x in range(int(promised[1]), int(promised[2]) + 1)]


def test_the_tests_use_the_server_of_the_job():
    job = JOBS["postgres"]

    assert job["services"]["postgres"]["image"] == "postgres:${{ matrix.postgres }}"
    read = (ROOT / "tests" / "conftest.py").read_text()
    assert '"HEADGATE_TEST_DSN"' in read
    assert set(job["env"]) == {"HEADGATE_DSN", "HEADGATE_TEST_DSN"}


def test_every_action_is_github_s_own_and_pinned_by_its_hash():
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    for action in (step["uses"] for step in STEPS if "uses" in step):
        name, _, _ = action.partition("@")
        assert name in TRUSTED
        assert re.search(rf"{action} # v\d+\.\d+\.\d+$", text, re.MULTILINE), action
        assert re.fullmatch(r".*@[0-9a-f]{40}", action), action


def test_the_workflow_may_read_the_repository_and_nothing_else():
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in JOBS.values())
    assert "secrets." not in (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    for step in STEPS:
        if step.get("uses", "").startswith("actions/checkout"):
            assert step["with"] == {"persist-credentials": False}


def test_a_job_ends_by_itself():
    assert all(job["timeout-minutes"] <= 120 for job in JOBS.values())


def test_the_workflow_runs_on_every_push_and_pull_request():
    triggers = WORKFLOW[True]  # YAML 1.1 reads the key `on` as a boolean

    assert set(triggers) == {"push", "pull_request"}
    assert all(x is None for x in triggers.values())


@pytest.mark.parametrize("job", JOBS)
def test_every_expression_names_something_that_is_there(job):
    matrix = JOBS[job]["strategy"]["matrix"]
    used = re.findall(r"\$\{\{ (.*?) \}\}", yaml.safe_dump(JOBS[job], width=1000))

    assert used and set(used) == {f"matrix.{x}" for x in matrix}
    assert all(isinstance(x, str) for values in matrix.values() for x in values)  # 3.10 is not 3.1


def test_every_job_has_its_python_before_it_runs_anything():
    for job in JOBS.values():
        actions = [step.get("uses", "run").partition("@")[0] for step in job["steps"]]
        assert actions == ["actions/checkout", "actions/setup-python", "run", "run"]
        assert re.fullmatch(r"ubuntu-\d\d\.\d\d", job["runs-on"])


def test_a_job_that_fails_does_not_hide_the_others():
    assert not any(job["strategy"]["fail-fast"] for job in JOBS.values())


def test_the_workflows_requirements_are_declared():
    assert any(x.startswith("pyyaml") for x in PROJECT["optional-dependencies"]["dev"])


def test_what_cannot_be_installed_from_debian_is_named_and_stops_nothing(tmp_path: Path):
    for program in ("bash", "id"):
        found = shutil.which(program)
        assert found
        (tmp_path / program).symlink_to(found)

    done = subprocess.run(
        [tmp_path / "bash", ROOT / ".ci" / "install-programs"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )

    assert (done.returncode, done.stderr) == (0, "")
    said = re.fullmatch(r"not installed: (.+); the tests that need them are skipped\n", done.stdout)
    assert said
    assert set(said[1].split()) == {"chromium", "faketime", "prometheus", "prometheus-alertmanager"}


def test_make_alone_lists_every_target_in_two_columns():
    makefile = (ROOT / "Makefile").read_text()

    listed = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    found = [re.fullmatch(r"  make (\S+ +)(\S.*)", line) for line in listed.splitlines()]
    assert all(found)
    names = [x[1].rstrip() for x in found if x]
    assert sorted(names) == sorted(re.findall(r"^\.PHONY: (\S+)$", makefile, re.MULTILINE))
    assert len({len(x[1]) for x in found if x}) == 1, "columns are aligned"
