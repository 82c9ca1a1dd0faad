"""Airflow's four processes, two runners and Postgres, started once for all of these tests.

The tests build on each other, in their order: a start takes most of a minute.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psutil
import pytest

from tests.acceptance.system import PIPELINE
from tests.airflow.looks import (
    STEP,
    ask_to_stop,
    assert_both_windows_agree,
    first_run,
    held,
    is_paused,
    leased_units,
    leases_of,
    left_of,
    postgres_pid,
    run_of,
    unknown,
    wait_for_end,
    wait_for_run,
    wait_for_step,
    wait_for_task,
    xcom_of,
)
from tests.airflow.scene import BENCH_CALLS, Scene
from tests.airflow.stack import HEADGATE, start
from tests.airflow_home import NEEDS_AIRFLOW
from tests.benchmarks import airflow
from tests.benchmarks.provider import provider
from tests.limits import PATIENCE, wait_until
from tests.servers import DB

pytestmark = NEEDS_AIRFLOW

FUNCTIONS = (
    "initialize_execution",
    "discover_delta",
    "check_api_quota",
    "publish_prices",
    "finalize_execution",
)
"""Tasks seen at a worker; a rare look also sees the tasks after the step."""
SHIPPED = DB.parent / "dags"
OWN = ("bad_input", "hasty", "hasty_mapped", "own_shapes", "rusty", *airflow.ALL)
"""DAGs of tests and benchmarks."""


@pytest.fixture(scope="module", autouse=True)
def let_go(stack: Scene) -> None:
    """Unpause all DAGs."""
    stack.let_go(*(x.stem for x in SHIPPED.glob("*.py")), *OWN)


@pytest.fixture(scope="module")
def dead(codes: list[str]) -> list[str]:
    """Return the listings that the provider does not know: one of a thousand, and 12 of 40."""
    return [codes[7], *codes[1300:1312]]


@pytest.fixture(scope="module")
def orders(stack: Scene, codes: list[str], dead: list[str]) -> list[int]:
    """Give five orders at once: a thousand listings, 300, 40, and two with one each.

    The second one's answers are held until it has been disturbed.
    """
    stack.standin.set_faults([unknown(dead), held(codes[1000:1300])])
    enlarge_quota(stack)
    parts = [codes[:1000], codes[1000:1300], codes[1300:1340], codes[1340:1341], codes[1341:1342]]
    params = [
        {"tickers": x, "mode": "bulk", "eodhd_daily_quota": 1_000_000, "eodhd_quota_buffer": 0}
        for x in parts
    ]
    return [stack.plan.value("trigger_pipeline", p_pipeline=PIPELINE, p_params=x) for x in params]


@pytest.fixture(scope="module")
def mistakes(stack: Scene) -> str:
    """Run the DAG of mistakes; return its run."""
    return stack.trigger("bad_input")


def test_airflow_sends_its_own_metrics_where_the_setting_says(stack: Scene):
    stack.statsd.settimeout(PATIENCE)

    received = (stack.statsd.recv(65_535) for _ in range(10_000))

    assert any(b"airflow.scheduler_heartbeat" in x for x in received)


@pytest.mark.usefixtures("mistakes")  # which runs beside these tests
@pytest.mark.parametrize(
    ("dag", "kind"),
    [
        (PIPELINE, "scheduled"),
        ("headgate_maintenance", "scheduled"),
        ("noblestride_integration_pipeline", "scheduled"),
        ("recommender_training_pipeline", "scheduled"),
        ("calculate_indicators", "asset_triggered"),
    ],
)
def test_scheduled_runs_and_the_one_by_asset_end_green_in_both_windows(
    stack: Scene, dag: str, kind: str
):
    wait_until(lambda: first_run(stack, dag, kind), f"a run of {dag}")
    run = first_run(stack, dag, kind)
    assert run is not None
    wait_for_run(stack, dag, run)

    execution = assert_both_windows_agree(stack, dag, run)
    assert execution["status"] == "succeeded"
    if dag == PIPELINE:
        assert (execution["planned"], execution["units"]) == (200, 1100)
        assert execution["succeeded"] == 200
        counts = {x: execution[x] for x in ("planned", "succeeded", "failed", "deferred", "units")}
        assert counts.items() <= xcom_of(stack, run, "finalize_execution", "counts").items()
        of_step = json.loads(xcom_of(stack, run, STEP, "counts"))
        assert 0 < of_step["succeeded"] == of_step["planned"] and of_step["units"] > 0
        for task in ("finalize_execution", STEP):  # for tasks that end in the triggerer
            links = stack.api(f"dags/{PIPELINE}/dagRuns/{run}/taskInstances/{task}/links")
            assert links["extra_links"] == {"Headgate report": "docs/airflow-dags.md#reports"}


def test_an_assets_event_carries_counts_and_each_exchange_has_one_of_its_own(stack: Scene):
    run = first_run(stack, PIPELINE, "scheduled")
    told = stack.client.get("assets/events", params={"source_run_id": run}).json()["asset_events"]
    extras = {x["name"]: x["extra"] for x in told}
    whole = extras.pop("equities/prices")

    assert (whole["succeeded"], whole["units"]) == (200, 1100)
    assert whole["first_session"] <= whole["last_session"]
    assert {x.removeprefix("equities/prices/") for x in extras} == set(whole["groups"])
    assert {x["execution_id"] for x in extras.values()} == {whole["execution_id"]}
    assert sum(x["succeeded"] for x in extras.values()) == 200


def test_a_dag_of_ones_own_runs_two_pipelines_in_groups_mapped_and_by_templates(stack: Scene):
    run = stack.trigger("own_shapes")
    wait_for_run(stack, "own_shapes", run)

    assert stack.runs("own_shapes")[run] == "success"
    for pipeline in ("trading_calendars", "equities_account"):
        assert stack.execution(pipeline, run)["status"] == "succeeded"
        assert set(stack.steps(pipeline, run).values()) == {"succeeded"}


def test_a_step_of_2000_jobs_holds_no_worker_and_one_dead_ticker_of_1000_fails_alone(
    stack: Scene, orders: list[int], dead: list[str]
):
    at_work, states = set(), set()

    def has_ended() -> bool:
        at_work.update(stack.tasks_at_work())
        run = run_of(stack, orders[0])
        if run is None:
            return False
        states.add(stack.task_states(PIPELINE, run)[STEP])
        return stack.steps(PIPELINE, run)[STEP] == "succeeded"

    wait_until(has_ended, "the step")
    run = run_of(stack, orders[0])
    assert run is not None
    assert "running" not in states and "deferred" in states, states
    tasks = stack.tasks(PIPELINE, run)
    assert at_work & {x["id"] for name, x in tasks.items() if name in FUNCTIONS}  # we do see them
    steps = {name for name, x in tasks.items() if x["id"] in at_work and name not in FUNCTIONS}
    assert steps == set(), tasks
    wait_for_run(stack, PIPELINE, run)
    execution = assert_both_windows_agree(stack, PIPELINE, run)
    counts = (execution["status"], execution["succeeded"], execution["failed"])
    assert counts == ("succeeded", 1998, 2)
    failed = stack.rows(
        "select distinct f.asset from headgate.v_failed_assets as f"
        " join headgate.v_assets as a using (asset_id) where a.universe = 'equities'"
    )
    assert [x["asset"] for x in failed] == dead[:1]
    note = stack.api(f"dags/{PIPELINE}/dagRuns/{run}")["note"]
    assert note.startswith("1,998 of 2,000 jobs succeeded, 2 failed")


def test_a_run_ends_green_with_exact_counts_whatever_is_killed(
    stack: Scene, orders: list[int], dead: list[str]
):
    run = wait_for_step(stack, orders[1])
    server = psutil.Process(postgres_pid(stack))
    runner = stack.pid("runner-1")
    wait_until(lambda: leases_of(stack, runner), "calls that are under way")
    stack.kill("runner-1")
    at_risk = leased_units(stack)
    stack.plan.expire(*leases_of(stack, runner))
    stack.kill("triggerer")
    stack.kill("scheduler")
    assert stack.execution(PIPELINE, run)["status"] == "running"
    server.kill()
    wait_until(lambda: not server.is_running(), "the server's end")
    stack.at_risk = at_risk + leased_units(stack)
    stack.standin.set_faults([unknown(dead)])

    wait_for_run(stack, PIPELINE, run)
    execution = assert_both_windows_agree(stack, PIPELINE, run)
    counts = {x: execution[x] for x in ("status", "planned", "succeeded", "failed", "deferred")}
    assert counts == {
        "status": "succeeded",
        "planned": 600,
        "succeeded": 600,
        "failed": 0,
        "deferred": 0,
    }
    (row,) = stack.rows(
        "select count(*) as jobs, count(distinct (d.asset_id, d.operation_id)) as pairs"
        " from headgate.asset_processing_details as d"
        " join headgate.process_executions as e using (execution_id) where e.run_id = %(run)s",
        run=run,
    )
    assert row == {"jobs": 600, "pairs": 600}


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("unknown_connection", ("no connection 'elsewhere'", "set AIRFLOW_CONN_ELSEWHERE")),
        ("wrong_password", ("authentication failed", "correct the connection's login")),
        ("no_rights", ("permission denied", "log in as headgate_planner")),
        ("server_away", ("No such file or directory", "does the server run?")),
        ("wrong_type", ("parameter mode: invalid value 5", "HG008", "give a text")),
        ("paused", ("resting is paused", "headgate.resume_pipeline")),
        ("running_already", ("busy is already running as 'before'", "headgate.cancel_execution")),
        ("step_of_nothing", ("unknown pipeline: 'bad_input'", "known pipelines: ")),
        ("step_without_connection", ("no connection 'elsewhere'", "set AIRFLOW_CONN_ELSEWHERE")),
    ],
)
def test_the_last_line_of_the_log_says_what_is_wrong_and_what_to_do(
    stack: Scene, mistakes: str, task: str, words: tuple[str, ...]
):
    wait_for_run(stack, "bad_input", mistakes)

    assert stack.tasks("bad_input", mistakes)[task]["state"] == "failed"
    line = stack.last_line("bad_input", mistakes, task)
    print(f"{task}: {line}")
    assert [x for x in words if x not in line] == [], line


def test_a_task_that_fails_and_no_step_with_it_ends_no_green_run(stack: Scene):
    run = stack.trigger("rusty")
    wait_for_run(stack, "rusty", run)

    assert stack.execution("rusty", run)["status"] == "succeeded"
    assert stack.runs("rusty")[run] == "failed"
    line = stack.last_line("rusty", run, "finalize_execution")
    assert "step_of_nothing failed in Airflow, and no step did" in line


def test_a_failed_and_late_run_is_an_alert_with_its_tasks(stack: Scene):
    def alerts() -> dict[str, str]:
        rows = stack.rows("select subject, message from headgate.v_alerts")
        return {x["subject"]: x["message"] for x in rows}

    wait_until(lambda: {"DAG rusty", "DAG rusty is late"} <= set(alerts()), "the alerts")
    assert "finalize_execution, step_of_nothing" in alerts()["DAG rusty"]
    assert "DAG headgate_maintenance" not in alerts(), "its run was green, and is at an end"


@pytest.mark.parametrize(
    ("conf", "words"),
    [
        ({"mode": 5}, "mode"),
        ({"exchanges": ["NYS"]}, "'NYS' is not one of"),
        ({"ticker": ["AAPL.US"]}, "has no parameter 'ticker'; did you mean tickers?"),
    ],
)
def test_a_wrong_parameter_is_refused_before_there_is_a_run(
    stack: Scene, conf: dict[str, object], words: str
):
    given = {"logical_date": None, "dag_run_id": "refused", "conf": conf}
    answer = stack.client.post(f"dags/{PIPELINE}/dagRuns", json=given)

    assert (answer.status_code, words in answer.text) == (400, True), answer.text
    assert "refused" not in stack.runs(PIPELINE)


def test_a_user_without_access_to_a_dag_cannot_learn_its_parameters(stack: Scene):
    given = {"logical_date": None, "conf": {"ticker": ["AAPL.US"]}}
    answer = httpx2.post(f"{stack.client.base_url}dags/{PIPELINE}/dagRuns", json=given)

    assert answer.status_code == 401 and "ticker" not in answer.text


def test_five_orders_at_once_end_as_five_executions(stack: Scene, orders: list[int]):
    wait_until(lambda: run_of(stack, orders[4]), "the last order's run")
    runs = [run_of(stack, x) for x in orders]
    assert len(set(runs)) == 5
    said = []
    for run in runs:
        assert run is not None
        wait_for_run(stack, PIPELINE, run)
        said.append(assert_both_windows_agree(stack, PIPELINE, run)["status"])
    assert said == ["succeeded", "succeeded", "failed", "succeeded", "succeeded"]
    # Scheduled runs, and these: no DAG was woken without an order.
    others = set(stack.runs(PIPELINE)) - set(runs)
    assert [x for x in others if not x.startswith("scheduled")] == []


def test_clearing_a_failed_task_runs_what_failed_and_spends_for_that_alone(
    stack: Scene, orders: list[int]
):
    run = run_of(stack, orders[2])
    assert run is not None
    before = stack.execution(PIPELINE, run)
    assert (before["succeeded"], before["failed"]) == (56, 24)
    assert "headgate.v_execution_steps" in stack.last_line(PIPELINE, run, "finalize_execution")
    stack.standin.set_faults([])
    (spent,) = stack.rows("select spent from headgate.v_quota where provider = 'eodhd'")
    served = stack.standin.ledger()["served_units"]

    given = {"dry_run": False, "dag_run_id": run, "task_ids": [STEP], "only_failed": False}
    stack.api(f"dags/{PIPELINE}/clearTaskInstances", given | {"include_downstream": True})
    wait_for_run(stack, PIPELINE, run)

    after = assert_both_windows_agree(stack, PIPELINE, run)
    assert (after["status"], after["succeeded"], after["failed"]) == ("succeeded", 80, 0)
    assert stack.standin.ledger()["served_units"] == served + 12 * 11
    (now,) = stack.rows("select spent from headgate.v_quota where provider = 'eodhd'")
    assert now["spent"] == spent["spent"] + 12 * 11


def test_units_agree_with_what_was_served(stack: Scene, dead: list[str]):
    rows = stack.rows("select spent from headgate.v_quota where provider = 'eodhd'")
    spent = sum(x["spent"] for x in rows)
    served = stack.standin.ledger()["served_units"]
    answered_for_nothing = len(dead) * 11
    print(f"units: {served} served, {spent} spent, {stack.at_risk} with those killed")
    assert served <= spent <= served + stack.at_risk + answered_for_nothing


@pytest.fixture
def silence(stack: Scene) -> Iterator[None]:
    """Let the provider hold every answer."""
    stack.standin.set_faults([{"match": {}, "fault": "hold"}])
    yield
    stack.standin.set_faults([])


@pytest.fixture
def under_way(stack: Scene, codes: list[str], silence: None) -> str:
    """Start a run of ten listings; return it while its step waits for their answers."""
    enlarge_quota(stack)
    stack.tickers = stack.tickers[10:] or codes[1342:]
    limits = {"eodhd_daily_quota": 1_000_000, "eodhd_quota_buffer": 0}
    conf = {"tickers": stack.tickers[:10], "mode": "bulk", **limits}
    run = stack.trigger(PIPELINE, conf)
    wait_until(
        lambda: (
            stack.steps(PIPELINE, run).get(STEP) == "running"
            and stack.task_states(PIPELINE, run)[STEP] == "deferred"
        ),
        "the step",
    )
    return run


def enlarge_quota(stack: Scene) -> None:
    """Raise the quota so that units do not matter."""
    changes = {"quota": 1_000_000, "buffer": 0}
    stack.plan.call("set_provider", p_provider="eodhd", p_changes=changes)


def reserved(stack: Scene) -> int:
    """Return the reserved units."""
    (row,) = stack.rows("select reserved from headgate.v_quota where provider = 'eodhd'")
    return int(row["reserved"])


@pytest.mark.parametrize("click", ["failed", "success"])
def test_a_run_that_a_person_ends_in_airflow_is_cancelled_within_seconds(
    stack: Scene, under_way: str, click: str
):
    path = f"dags/{PIPELINE}/dagRuns/{under_way}"
    assert stack.client.delete(path).status_code == 409, "Airflow deletes no run that is under way"
    answer = stack.client.patch(path, json={"state": click})
    assert answer.is_success, answer.text

    def is_cancelled() -> bool:
        return bool(stack.execution(PIPELINE, under_way)["status"] == "cancelled")

    wait_until(is_cancelled, "the end of its execution")
    assert reserved(stack) == 0


@pytest.mark.parametrize("dag", ["hasty", "hasty_mapped"])
def test_a_steps_time_and_its_tries_hold_however_it_is_run(
    stack: Scene, silence: None, codes: list[str], dag: str
):
    enlarge_quota(stack)
    stack.tickers = stack.tickers[10:] or codes[1342:]
    run = stack.trigger(dag, {"tickers": stack.tickers[:10], "mode": "bulk"})
    wait_for_run(stack, dag, run)

    task = stack.tasks(dag, run)["load"]
    assert (stack.runs(dag)[run], task["state"], task["try_number"]) == ("failed", "failed", 2)
    said = [y for x in (1, 2) for y in stack.lines(dag, run, "load", x, task["map_index"])]
    assert [x for x in said if "not ended within 0:00:01" in x], said
    assert stack.steps(PIPELINE, run)[STEP] == "failed"
    assert stack.execution(PIPELINE, run)["status"] == "failed"
    assert reserved(stack) == 0


@pytest.mark.parametrize(("mark", "said"), [("failed", "failed"), ("success", "succeeded")])
def test_a_step_that_a_person_marks_ends_so_in_both_windows(
    stack: Scene, under_way: str, mark: str, said: str
):
    path = f"dags/{PIPELINE}/dagRuns/{under_way}/taskInstances/{STEP}"
    answer = stack.client.patch(path, json={"new_state": mark})
    assert answer.is_success, answer.text
    wait_until(lambda: stack.steps(PIPELINE, under_way)[STEP] == said, "the step's end")
    stack.standin.set_faults([])

    wait_for_run(stack, PIPELINE, under_way)
    assert stack.runs(PIPELINE)[under_way] == mark
    assert stack.execution(PIPELINE, under_way)["status"] == said
    assert reserved(stack) == 0


def test_a_step_that_a_person_clears_in_mid_run_continues_where_it_was(
    stack: Scene, under_way: str
):
    given = {"dry_run": False, "dag_run_id": under_way, "task_ids": [STEP], "only_failed": False}
    stack.api(f"dags/{PIPELINE}/clearTaskInstances", given)
    stack.standin.set_faults([])

    wait_for_run(stack, PIPELINE, under_way)
    execution = assert_both_windows_agree(stack, PIPELINE, under_way)
    assert execution["status"] == "succeeded"
    assert execution["succeeded"] + execution["skipped"] == execution["planned"] == 20


def test_a_run_that_airflow_no_longer_has_is_cancelled_within_seconds(stack: Scene):
    began = {"p_pipeline": PIPELINE, "p_run_id": "left behind"}
    stack.plan.call("start_execution", **began)

    assert wait_for_end(stack, "left behind") == "cancelled"


def test_a_run_waits_for_the_one_before_it_instead_of_failing(stack: Scene, codes: list[str]):
    other = {"p_run_id": "psql", "p_deployment": "another"}  # which no runner here drives
    stack.plan.call("start_execution", p_pipeline=PIPELINE, **other)
    run = stack.trigger(PIPELINE, {"tickers": codes[:1], "mode": "incremental"})
    wait_for_task(stack, run, "initialize_execution", "deferred")
    assert "already running as 'psql'" in stack.log(PIPELINE, run, "initialize_execution")

    stack.plan.call("cancel_execution", p_pipeline=PIPELINE, p_run_id="psql")
    wait_for_run(stack, PIPELINE, run)
    assert stack.execution(PIPELINE, run)["status"] == "succeeded"


def test_pausing_the_dag_pauses_the_pipeline_and_no_call_is_made_until_it_is_resumed(
    stack: Scene, under_way: str
):
    for dag in ("hasty", "hasty_mapped", PIPELINE):  # it is paused with the last of its DAGs
        stack.change(f"dags/{dag}", {"is_paused": True})
    wait_until(lambda: is_paused(stack), "the pipeline's pause")
    assert stack.execution(PIPELINE, under_way)["status"] == "paused"
    wait_until(
        lambda: "is paused" in stack.log(PIPELINE, under_way, STEP), "the log of the step's task"
    )
    stack.standin.set_faults([])
    wait_until(lambda: not leased_units(stack), "the calls under way")
    order = stack.plan.value("trigger_pipeline", p_pipeline=PIPELINE)
    (said,) = stack.rows("select * from headgate.v_orders where order_id = %(o)s", o=order)
    assert (said["status"], said["reason"]) == (
        "waiting",
        "its DAG is paused, and the pipeline with it",
    )

    stack.change(f"dags/{PIPELINE}", {"is_paused": False})
    wait_for_run(stack, PIPELINE, under_way)
    execution = assert_both_windows_agree(stack, PIPELINE, under_way)
    assert execution["status"] == "succeeded"
    done = execution["succeeded"] + execution["skipped"]
    assert done == execution["planned"] == 20, (execution, stack.tickers[:10])
    wait_until(lambda: run_of(stack, order), "the order's run")
    stack.change(f"dags/{PIPELINE}/dagRuns/{run_of(stack, order)}", {"state": "failed"})
    wait_for_end(stack, str(run_of(stack, order)))


def test_a_run_that_airflow_no_longer_has_blocks_no_other_run(stack: Scene, codes: list[str]):
    stack.plan.call("start_execution", p_pipeline=PIPELINE, p_run_id="left behind")
    conf = {"tickers": codes[:1], "mode": "incremental"}
    given = {"logical_date": None, "conf": conf}
    run = stack.api(f"dags/{PIPELINE}/dagRuns", given)["dag_run_id"]

    wait_for_run(stack, PIPELINE, run)
    assert stack.execution(PIPELINE, run)["status"] == "succeeded"
    assert stack.execution(PIPELINE, "left behind")["status"] == "cancelled"


def test_the_benchmark_can_be_run(stack: Scene):
    with provider() as base_url:
        ways = list(airflow.measure(stack, base_url, jobs=2, settle=0))
        steps = list(airflow.measure_steps(stack, base_url, runs=1, calls=BENCH_CALLS))

    assert [x.value > 0 for x in ways[:3]] == [True] * 3, ways
    assert [x.value > 0 for x in steps] == [True] * 2, steps


def test_a_second_start_and_a_taken_port_are_refused_with_advice(stack: Scene, tmp_path: Path):
    second = subprocess.run(
        [*HEADGATE, "start"], env=stack.environ, capture_output=True, text=True, timeout=PATIENCE
    )
    assert second.returncode == 1
    assert (
        "Airflow is already running" in second.stderr and "headgate airflow stop" in second.stderr
    )

    elsewhere = stack.environ | {"HEADGATE_HOME": str(tmp_path)}
    taken = subprocess.run(
        [*HEADGATE, "demo", f"--port={stack.port}"],
        env=elsewhere,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert taken.returncode == 1
    assert f"port {stack.port} cannot be had" in taken.stderr and "--port" in taken.stderr
    assert not (tmp_path / "postgres").exists(), "nothing is prepared for what cannot start"


def test_a_command_of_airflows_own_finds_the_database_of_what_runs(stack: Scene):
    environ = {k: v for k, v in stack.environ.items() if k != "HEADGATE_DATABASE"}
    done = subprocess.run(
        [*HEADGATE, "cli", "connections", "get", "headgate", "--output", "json"],
        env=environ | {"HEADGATE_HOME": str(stack.settings.home)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["schema"] == stack.settings.database


def test_the_login_and_the_keys_are_nobodys_else(stack: Scene):
    for name in ("login.json", "keys.json"):
        assert (stack.folder / name).stat().st_mode & 0o777 == 0o600
    assert stack.folder.stat().st_mode & 0o077 == 0


def test_it_all_stops_and_nothing_is_left(stack: Scene):
    everything = stack.processes()

    assert "has stopped" in ask_to_stop(stack)
    assert stack.process.wait(PATIENCE) == 0
    print(stack.said())
    assert left_of(everything) == []
    assert not (stack.folder / "stack.json").exists()
    assert "was not running" in ask_to_stop(stack)


def test_processes_left_by_a_killed_start_are_ended(stack: Scene):
    stack.process = start(stack.settings, stack.environ, stack.port)
    services = {"api-server", "triggerer", "dag-processor", "runner-1", "runner-2"}

    def is_up() -> bool:
        assert stack.process.poll() is None, stack.said()
        file = stack.folder / "stack.json"
        return file.exists() and services <= set(json.loads(file.read_text())["services"])

    wait_until(is_up, "its processes")
    everything = stack.processes()
    stack.process.kill()
    stack.process.wait()
    assert left_of(everything) == everything

    assert "has stopped" in ask_to_stop(stack)
    assert left_of(everything) == []
