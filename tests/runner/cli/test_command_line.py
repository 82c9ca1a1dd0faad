"""The command line: its output, and errors as a message, a hint and an exit code."""

from __future__ import annotations

import inspect
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace

import psycopg
import pytest
from psycopg.types.json import Jsonb

from headgate.cli import command_line
from headgate.cli.panels import ENTRIES, PANELS
from headgate.database import connect, dsn_of
from headgate.settings import Settings
from tests.adopt import adopt
from tests.conftest import Clones
from tests.limits import PATIENCE, wait_until
from tests.runner.small_plan import start, write_plan
from tests.servers import DB

Run = Callable[..., SimpleNamespace]
NOWHERE = "postgresql://me:hunter2@127.0.0.1:1/headgate"
FAILING = """
    create function public.fail(p_context jsonb, p_asset_ids bigint[], p_payloads text[])
    returns setof headgate.ingest_result language plpgsql
    as $$ begin raise exception 'it is broken'; end $$
"""
COMMANDS = (
    ["migrate"],
    ["status"],
    ["status", "some-run"],
    ["explain", "x"],
    ["run", "x"],
    ["worker"],
    ["doctor"],
)
HEAVY = ("httpx", "httpx2", "aiohttp", "numpy", "pandas", "matplotlib")
WHAT_IS_IMPORTED = f"""
import sys
from headgate.cli import command_line
from headgate.cli.panels import ENTRIES
sys.argv = ["headgate", "--help"]
try:
    command_line.main()
except SystemExit:
    print("psycopg" in sys.modules, file=sys.stderr)
for name in ENTRIES:
    command_line.command(name)
print([x for x in {HEAVY} if x in sys.modules], file=sys.stderr)
"""

WHAT_A_WORKER_IMPORTS = """
import sys
from headgate.cli import command_line
command_line.configure_logging(is_verbose=False, is_worker=True)
command_line.command("worker")
import headgate.worker.worker
print([x for x in sys.modules if x.startswith("rich")])
"""


@pytest.fixture
def database(core: Settings) -> Settings:
    """Clone the core: beside the shipped plans a test's own takes three times as long to check."""
    return core


@pytest.fixture(scope="module")
def whole(clone: Clones, template: Settings) -> Iterator[Settings]:
    """Clone the template, which has the shipped plans, once for all commands that only read it."""
    settings = clone(template)
    yield settings
    clone.drop(settings)


def test_help_names_every_command_in_its_panel(run):
    shown = run("--help").out

    places = [shown.index(f"─ {panel} ─") for panel in PANELS]
    assert places == sorted(places)
    assert all(f" {name} " in shown for name in ENTRIES)


@pytest.mark.parametrize("name", ENTRIES)
def test_a_command_s_line_in_the_help_is_the_first_of_its_docstring(name):
    command = command_line.command(name)

    assert command.name == name
    assert inspect.cleandoc(command.help or "").partition("\n")[0] == ENTRIES[name].summary


def test_nothing_is_imported_that_a_command_does_not_need():
    done = subprocess.run(
        [sys.executable, "-c", WHAT_IS_IMPORTED], cwd=DB.parent, capture_output=True, text=True
    )

    assert done.stderr.splitlines() == ["False", "[]"]


def test_a_worker_that_logs_to_no_terminal_does_without_rich():
    done = subprocess.run(
        [sys.executable, "-c", WHAT_A_WORKER_IMPORTS], cwd=DB.parent, capture_output=True, text=True
    )

    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands(run, shell):
    words = {"COMP_WORDS": "headgate st", "COMP_CWORD": "1"}
    given = {"_TYPER_COMPLETE_ARGS": "headgate st", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}

    shown = run(_HEADGATE_COMPLETE=f"complete_{shell}", **words, **given).out

    assert "status" in shown and "worker" not in shown
    assert (
        "headgate"
        in run("--show-completion", shell, _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1").out
    )


@pytest.mark.parametrize(
    "arguments", [["bogus"], ["run"], ["run", "x", "--bogus"], ["up", "--port", "x"]]
)
def test_wrong_usage_is_reported_with_the_usage(run, arguments):
    result = run(*arguments)

    assert result.code == 2
    assert "Usage: headgate" in result.err
    assert "Traceback" not in result.err


def test_dsn_prints_a_connection_string_and_nothing_else(run, database):
    result = run("dsn", settings=database)

    assert result.err == ""
    with psycopg.connect(result.out.strip()) as connection:
        assert connection.info.dbname == database.database


def test_dsn_of_a_role_on_ones_own_server_has_no_password(run):
    result = run("dsn", "--role", "reader", HEADGATE_DSN=NOWHERE)

    assert "user=headgate_reader" in result.out
    assert "hunter2" not in result.out + result.err


@pytest.mark.parametrize(
    "arguments",
    [["-c", "select 1"], ["-Atc", "select 1"], ["-v", "x=1", "-h", "--csv"], ["--", "-f", "x"]],
    ids=" ".join,
)
def test_psql_gets_the_arguments_as_they_are(run, database, monkeypatch, arguments):
    started = []
    monkeypatch.setattr(os, "execve", lambda _, given, __: started.append(given))

    result = run("psql", *arguments, settings=database)

    assert result.code == 0
    (program, dsn, *passed_on) = started[0]
    assert (program, passed_on) == ("psql", [x for x in arguments if x != "--"])
    assert database.database in dsn


def test_psql_answers_a_query(headgate, database):
    done = headgate("psql", "-Atc", "select 6 * 7", settings=database)

    assert (done.returncode, done.stdout) == (0, "42\n")


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_server_that_does_not_answer_is_reported_in_two_lines(run, arguments):
    result = run(*arguments, HEADGATE_DSN=NOWHERE)

    assert result.code == 1
    told = result.out + result.err
    assert "cannot connect to database 'headgate' at 127.0.0.1:1: Connection refused" in told
    assert "HEADGATE_DSN" in told
    assert "Traceback" not in told
    assert "hunter2" not in told


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_malformed_connection_string_is_reported(run, arguments):
    result = run(*arguments, HEADGATE_DSN="postgresql://me:hun/ter2@db/x")

    assert result.code == 1
    assert result.err.startswith("error: HEADGATE_DSN is not a connection string [HG008]\nhint: ")


@pytest.mark.parametrize(
    "arguments", [["status"], ["explain", "x"], ["run", "x"], ["worker"]], ids=" ".join
)
def test_a_database_without_the_plan_is_reported_with_what_to_do(run, clone, arguments):
    empty = clone(None)

    result = run(*arguments, settings=empty)

    assert result.code == 1
    assert f"error: database {empty.database} lacks db/roles/010_roles.sql" in result.err
    assert re.search(r"^hint: run: headgate migrate(;|$)", result.err, re.MULTILINE)


def test_migrate_says_what_it_did(run, database):
    assert (
        run("migrate", settings=database).err == f"database {database.database}: nothing applied\n"
    )
    assert json.loads(run("migrate", "--json", settings=database).out) == {
        "applied": [],
        "gone": [],
    }


def test_migrate_lists_what_is_pending_in_a_dry_run(run, clone):
    empty = clone(None)
    result = run("migrate", "--dry-run", settings=empty)

    assert result.code == 0
    assert result.out.startswith("roles/010_roles.sql\nmigrations/0001_")
    assert json.loads(run("migrate", "--dry-run", "--json", settings=empty).out)["pending"]


def test_migrate_names_the_file_that_is_wrong(run, clone, tmp_path):
    folder = tmp_path / "db" / "migrations"
    folder.mkdir(parents=True)
    (folder / "0001_wrong.sql").write_text("-- role: migrator\n\nselect oops;\n")
    empty = replace(clone(None), db=tmp_path / "db")

    result = run("migrate", settings=empty)

    assert result.code == 1
    assert result.err.endswith(
        'error: db/migrations/0001_wrong.sql:3: column "oops" does not exist\n'
    )


def test_a_port_that_is_taken_is_named(run, database):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        result = run("web", "--port", str(port), settings=database)

    assert result.code == 1
    assert f"cannot listen on 127.0.0.1, port {port}: Address already in use\n" in result.err


def test_a_chart_needs_the_plan_with_listings(run, core):
    result = run("chart", "AAPL.US", settings=core)

    assert result.code == 1
    assert f"database {core.database} does not have the plan equities [HG008]" in result.err


def test_a_backup_that_is_not_there_is_named(run, tmp_path):
    result = run("restore", str(tmp_path / "no.dump"), HEADGATE_DSN=NOWHERE)

    assert result.code == 1
    assert f"error: {tmp_path / 'no.dump'} does not exist\nhint: name a file that" in result.err


def test_up_and_down_leave_ones_own_server_alone(run):
    result = run("up", HEADGATE_DSN=NOWHERE)

    assert result.code == 1
    assert "HEADGATE_DSN is set: that server is used" in result.err


def test_an_error_not_foreseen_is_one_line_as_well(run, database, monkeypatch):
    def fail(*_: object) -> None:
        with connect(database, "test") as connection:
            connection.execute("select * from nowhere")

    monkeypatch.setattr("headgate.cli.commands.status._show_recent", fail)

    result = run("status", settings=database)

    assert result.code == 1
    assert result.err == (
        'error: PostgreSQL reports: relation "nowhere" does not exist (SQLSTATE 42P01)\n'
    )


@pytest.mark.parametrize("arguments", [["--help"], ["dsn"], ["pipelines"], ["pipelines", "--json"]])
def test_a_full_disk_is_reported_in_two_lines(whole, arguments):
    environ = {"HEADGATE_DSN": dsn_of(whole), "HEADGATE_DB": str(whole.db)}
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "headgate", *arguments],
            env={**os.environ, **environ},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )

    assert done.returncode == 1
    assert done.stderr.endswith(
        "error: the output cannot be written: No space left on device\nhint: make room for it\n"
    )
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["dsn"], ["pipelines"], ["pipelines", "--json"]])
def test_a_reader_that_has_gone_ends_a_command_without_a_word(whole, arguments):
    environ = {"HEADGATE_DSN": dsn_of(whole), "HEADGATE_DB": str(whole.db)}
    source, sink = os.pipe()
    os.close(source)
    done = subprocess.run(
        [sys.executable, "-m", "headgate", *arguments],
        env={**os.environ, **environ},
        stdout=sink,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(sink)

    assert (done.returncode, done.stderr) == (1, "")


def test_characters_that_the_output_lacks_are_escaped(headgate, database, plan):
    plan.call(
        "upsert_assets", p_universe="things", p_assets=Jsonb([{"code": "Café", "group_key": "G"}])
    )

    shown = headgate("assets", "--group", "G", settings=database, PYTHONIOENCODING="ascii")

    assert shown.returncode == 0, shown.stderr
    assert "Caf\\xe9" in shown.stdout


@pytest.mark.parametrize("command", ["run", "explain", "pause", "status", "show"])
def test_a_name_that_is_not_utf8_is_refused(run, database, command):
    result = run(command, "\udcff", settings=database)

    assert result.code == 1
    assert result.err.startswith("error: an argument is not valid UTF-8: \\xff [HG008]\nhint: ")


@pytest.mark.parametrize("command", ["run", "explain"])
def test_an_unknown_pipeline_is_reported(run, database, command):
    result = run(command, "no_such_pipeline", settings=database)

    assert result.code == 1
    assert "no_such_pipeline" in result.err
    assert "[HG001]\nhint: " in result.err


def test_a_run_that_does_not_exist_is_reported(run, database):
    result = run("status", "no-such-run", settings=database)

    assert (result.code, "[HG002]" in result.err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--quota", "-1"], "HG008"),
        (["--param", "bogus=1"], "HG007"),
        (["--asset", "NOSUCH"], "HG009"),
    ],
    ids=["quota", "parameter", "asset"],
)
def test_wrong_questions_are_reported(run, database, plan, arguments, code):
    write_plan(plan, assets=1)

    result = run("explain", "small_shop", *arguments, settings=database)

    assert result.code == 1
    assert f"[{code}]\nhint: " in result.err


def test_a_parameter_without_a_value_is_wrong_usage(run, database):
    assert run("explain", "small_shop", "--param", "bogus", settings=database).code == 2


def test_explain_tells_totals_pairs_and_one_asset(run, database, plan):
    write_plan(plan, assets=3)

    found = json.loads(run("explain", "small_shop", "--json", settings=database).out)
    totals = found["summary"]
    pairs = run("explain", "small_shop", "--rows", "2", "--json", settings=database)
    one = run("explain", "small_shop", "--asset", "T1", "--json", settings=database)

    assert [(x["decision"], x["count"]) for x in totals] == [("run", 3)]
    assert len(json.loads(pairs.out)["plan"]) == 2
    assert [x["asset"] for x in json.loads(one.out)["plan"]] == ["T1"]
    assert "look_shop" in run("explain", "small_shop", settings=database).out
    assert found["totals"] == [
        {"decision": "run", "jobs": 3, "units": 0},
        {"decision": "defer", "jobs": 0, "units": 0},
        {"decision": "skip", "jobs": 0, "units": 0},
    ]
    assert found["reasons"] == [
        {"decision": "run", "reason": "never done", "jobs": 3, "units": 0, "earliest": None}
    ]


def test_explain_tells_what_the_quota_carries_and_when_the_rest_can_run(run, database, plan):
    write_plan(
        plan,
        assets=5,
        base_url="http://shop.test",
        provider_columns={"quota": 6},
        operation_columns={"units": 2},
    )

    found = json.loads(run("explain", "small_shop", "--json", settings=database).out)
    shown = run("explain", "small_shop", settings=database).out

    (quota,) = found["quota"]
    assert (quota["usable"], quota["left"], quota["after_the_run"]) == (6, 6, 0)
    assert [(x["decision"], x["jobs"], x["units"]) for x in found["totals"]] == [
        ("run", 3, 6),
        ("defer", 2, 4),
        ("skip", 0, 0),
    ]
    (waits,) = [x for x in found["reasons"] if x["decision"] == "defer"]
    assert (waits["reason"], waits["earliest"]) == (
        "quota exhausted before this asset's rank",
        quota["until"],
    )
    assert shown.index("decision") < shown.index("after_the_run") < shown.index("group_key")
    fewer = run("explain", "small_shop", "--quota", "2", "--rows", "9", "--json", settings=database)
    assert [x["decision"] for x in json.loads(fewer.out)["plan"]] == ["run"] + ["defer"] * 4


def test_explain_tells_an_asset_s_full_story(run, database, plan):
    write_plan(
        plan,
        assets=2,
        base_url="http://shop.test",
        provider_columns={"quota": 1},
        operation_columns={"units": 1},
    )
    start(plan)
    plan.advance()
    (chunk,) = plan.call("claim_jobs", p_runner="w1", p_max_chunks=1)
    plan.call(
        "complete_jobs",
        p_runner="w1",
        p_chunk_id=chunk["chunk_id"],
        p_lease_no=chunk["lease_no"],
        p_asset_ids=chunk["asset_ids"],
        p_outcomes=["failed"],
        p_errors=["it is broken"],
    )

    done = run("explain", "small_shop", "--asset", "T0", settings=database).out
    waits = run("explain", "small_shop", "--asset", "T1", "--json", settings=database).out
    both = run("explain", "small_shop", "--asset", "T0", "--asset", "T1", settings=database).out

    assert "T0: group=G" in done
    assert "look_shop: defer, never done; quota exhausted before this asset's rank" in done
    assert "last error" in done
    assert "it is broken" in done.partition("last decisions:")[2]
    (story,) = json.loads(waits)["assets"]
    assert story["asset"]["code"] == "T1"
    assert [x["decision"] for x in story["decisions"]] == ["defer"]
    assert story["plan"][0]["evidence"]["units_short"] == 2
    assert both.count("last decisions:") == 2


@pytest.mark.parametrize("workers", ["1", "2"])
def test_run_carries_a_pipeline_to_its_end_and_status_tells_it(run, database, plan, workers):
    write_plan(plan, assets=7)

    result = run("run", "small_shop", "--workers", workers, "--json", settings=database)
    told = json.loads(result.out)
    status = json.loads(run("status", told["run_id"], "--json", settings=database).out)

    assert result.code == 0
    assert (told["status"], told["planned"], told["succeeded"]) == ("succeeded", 7, 7)
    assert (status["status"], status["steps"][0]["succeeded"]) == ("succeeded", 7)
    assert told["run_id"] in run("status", settings=database).out


def test_run_prints_what_happened_and_what_to_try_next(run, database, plan):
    write_plan(plan, assets=7)

    shown = run("run", "small_shop", settings=database).out

    assert re.search(r"succeeded in \d:\d\d:\d\d", shown)
    assert "headgate psql" in shown
    for line in (x.strip() for x in shown.splitlines() if x.strip().startswith("select")):
        assert plan.sql(line) is not None


def test_run_says_which_failure_it_tolerated(run, database, plan):
    impatient = {"max_wait": "1 millisecond"}
    write_plan(plan, base_url="http://127.0.0.1:1", assets=1, operation_columns=impatient)
    plan.sql("update headgate.pipeline_steps set may_fail = true")

    result = run("run", "small_shop", settings=database)

    assert result.code == 0
    assert "failed, but allowed to fail: all" in result.out


def test_a_forecast_names_what_is_left_out_after_failures(run, database, plan):
    write_plan(plan, assets=3)
    plan.sql(
        "update headgate.asset_processing_state set consecutive_failures = 5, next_due_at = null"
        " where asset_id = (select min(asset_id) from headgate.assets where universe = 'shop')"
    )

    said = run("forecast", "small_shop", "--days", "2", settings=database)

    assert "everything is loaded on day 1, but 1 left out after failures" in said.err + said.out


def test_a_forecast_names_the_pool_that_bounds_it(run, database, plan):
    write_plan(plan, assets=3)
    plan.sql("insert into headgate.pools (name, slots) values ('tills', 2)")
    plan.sql("update headgate.operations set pool = 'tills' where universe = 'shop'")

    said = run("forecast", "small_shop", "--days", "2", settings=database)

    assert "day 1 goes through pool tills: how long is not known yet" in said.err + said.out


def test_run_refuses_without_the_providers_secret(run, database, plan):
    auth = {"in": "query", "name": "token"}
    write_plan(plan, base_url="http://127.0.0.1:1", secret_name="SHOP_TOKEN", auth=auth)

    result = run("run", "small_shop", settings=database)

    assert result.code == 1
    assert "asks provider shop, whose secret SHOP_TOKEN is not set [HG019]" in result.err
    assert plan.scalar("select count(*) from headgate.v_recent_executions") == 0


def test_run_continues_with_what_an_interrupted_one_left(run, database, plan):
    write_plan(plan, assets=3)
    run_id = plan.value("run_pipeline", p_pipeline="small_shop")

    result = run("run", "small_shop", "--json", settings=database)

    assert json.loads(result.out)["run_id"] == run_id
    assert f"continuing {run_id}" in result.err


def test_run_does_not_continue_with_somebody_elses(run, database, plan):
    write_plan(plan, assets=3)
    plan.call("start_execution", p_pipeline="small_shop", p_run_id="scheduled__1")

    result = run("run", "small_shop", settings=database)

    assert (result.code, "[HG011]" in result.err) == (1, True)


def test_a_run_that_fails_ends_with_a_code(run, database, plan):
    plan.sql(FAILING)
    write_plan(plan, assets=3)
    plan.sql("update headgate.operations set ingest_function = 'public.fail', max_attempts = 1")
    adopt(plan.connection)

    result = run("run", "small_shop", settings=database)

    assert result.code == 1
    assert " failed in " in result.out


@pytest.fixture
def start_worker(database: Settings) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a worker in a process of its own and wait until it listens."""
    environ = {**os.environ, "HEADGATE_DSN": dsn_of(database), "HEADGATE_DB": str(database.db)}
    command = [sys.executable, "-m", "headgate", "worker"]
    started = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            [*command, *arguments],
            env=environ,
            cwd=DB.parent,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            text=True,
        )
        started.append(process)
        _wait_for_listener(database)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_without_workers_of_its_own_a_run_is_left_to_those_elsewhere(
    run, database, plan, start_worker, monkeypatch
):
    write_plan(plan, assets=3, secret_name="SHOP_TOKEN")
    monkeypatch.setenv("SHOP_TOKEN", "a-word-of-theirs")
    start_worker()
    monkeypatch.delenv("SHOP_TOKEN")

    result = run("run", "small_shop", "--workers", "0", "--json", settings=database)

    assert (result.code, json.loads(result.out)["succeeded"]) == (0, 3)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_worker_ends_in_good_order(start_worker, number, code):
    process = start_worker()
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)

    assert process.returncode == code, err
    assert "Traceback" not in out + err


def test_a_worker_ends_when_its_parent_is_gone(start_worker):
    process = start_worker("--until-input-ends")
    process.communicate(timeout=PATIENCE)

    assert process.returncode == 0


def test_doctor_finds_a_fresh_install_in_order(run, whole):
    result = run("doctor", "--json", settings=whole)
    found = {x["check"]: x["verdict"] for x in json.loads(result.out)}

    assert result.code == 0
    assert {found[x] for x in ("server", "pgmq", "roles", "migrations")} == {"ok"}


def test_doctor_says_what_is_missing_and_what_to_do(run, clone):
    result = run("doctor", settings=clone(None))

    assert result.code == 1
    assert "fail pgmq: not installed\n     run: headgate migrate" in result.out
    assert "fail migrations: " in result.out


def test_doctor_warns_of_a_secret_that_is_not_set(run, database, plan):
    auth = {"in": "query", "name": "token"}
    write_plan(plan, base_url="http://127.0.0.1:1", secret_name="SHOP_TOKEN", auth=auth)

    assert "warn provider shop: SHOP_TOKEN is not set" in run("doctor", settings=database).out
    assert "ok   provider shop" in run("doctor", settings=database, SHOP_TOKEN="x").out


def test_doctor_fails_on_warnings_when_it_is_strict(run, database, plan):
    auth = {"in": "query", "name": "token"}
    write_plan(plan, base_url="http://127.0.0.1:1", secret_name="SHOP_TOKEN", auth=auth)
    plan.call("note_schema")

    assert run("doctor", settings=database).code == 0
    assert run("doctor", "--strict", settings=database).code == 1


def _wait_for_listener(settings: Settings) -> None:
    query = "select 1 from pg_stat_activity where datname = %s and application_name ~ 'listening'"
    with connect(settings, "test") as connection:
        wait_until(
            lambda: connection.execute(query, (settings.database,)).fetchone(),
            "a worker that listens",
        )
