"""A waiting run shows why and until when; an unfinished one shows how to continue."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from headgate.cli.commands import console, progress
from headgate.database import connect
from headgate.settings import Settings
from tests.adopt import adopt
from tests.clock import NOW
from tests.plan import Plan
from tests.runner.conftest import Run
from tests.runner.small_plan import start, write_plan

LIMIT_SECONDS = 180.0
FAIL = """
    create or replace function public.fail(
        p_context jsonb, p_asset_ids bigint[], p_payloads text[]
    )
    returns setof headgate.ingest_result language plpgsql
    as $$ begin raise exception using errcode = '%s', message = E'it is\\nbroken'; end $$
"""
WORK = """
    create or replace function public.fail(
        p_context jsonb, p_asset_ids bigint[], p_payloads text[]
    )
    returns setof headgate.ingest_result language sql
    as $$ select u.asset_id, 'success', 1, null::timestamptz, null::text
          from unnest(p_asset_ids) as u (asset_id) $$
"""
ALERTS = """
    select subject, message from headgate.v_alerts
    where resolved_at is null and subject like 'step %'
"""
When = Callable[[Callable[[], object], Callable[[Plan], object]], None]


@pytest.fixture
def database(core: Settings) -> Settings:
    """Clone the core: beside the shipped plans a test's own takes three times as long to check."""
    return core


@pytest.fixture
def when(database: Settings) -> Iterator[When]:
    """Do something once a condition holds, while the command runs."""
    threads: list[threading.Thread] = []
    over = threading.Event()
    late: list[str] = []

    def work(condition: Callable[[], object], action: Callable[[Plan], object]) -> None:
        limit = time.monotonic() + LIMIT_SECONDS
        while not condition() and time.monotonic() < limit:
            if over.wait(0.02):
                return
        if not condition():
            late.append(str(condition))
        with connect(database, "test") as connection:
            action(Plan(connection))

    def begin(condition: Callable[[], object], action: Callable[[Plan], object]) -> None:
        threads.append(threading.Thread(target=work, args=(condition, action)))
        threads[-1].start()

    yield begin
    over.set()
    for thread in threads:
        thread.join()
    assert late == []


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """Log progress at every look; return the lines logged so far."""
    monkeypatch.setattr(progress, "LOG_SECONDS", 0.0)
    caplog.set_level("INFO", "headgate.cli.commands.progress")
    return lambda: "\n".join(x.getMessage() for x in list(caplog.records))


def broken(plan: Plan, errcode: str) -> None:
    """Write a plan of three assets whose ingest function raises."""
    plan.sql(FAIL % errcode)
    write_plan(plan, assets=3)
    plan.sql("update headgate.operations set ingest_function = 'public.fail', max_attempts = 1")
    adopt(plan.connection)


def last_line(printed: str) -> str:
    """Return the last line that is not empty."""
    return [x for x in printed.splitlines() if x.strip()][-1]


def test_a_run_behind_a_block_says_so_while_it_waits(
    run: Run, database: Settings, plan: Plan, when: When, logged: Callable[[], str]
):
    write_plan(
        plan,
        assets=3,
        base_url="http://127.0.0.1:1",
        operation_columns={"max_wait": "10 hours"},
    )
    until = NOW + timedelta(hours=5)
    changes = {"blocked_until": str(until), "reason": "they moved"}
    plan.call("set_provider", p_provider="shop", p_changes=changes)

    when(
        lambda: "3 jobs of look_shop: they moved, next try " in logged(),
        lambda other: other.sql(
            "select c.* from headgate.v_recent_executions as e"
            " cross join lateral headgate.cancel_execution(e.pipeline, e.run_id) as c"
        ),
    )
    result = run("run", "small_shop", settings=database)

    assert result.code == 1
    assert re.search(r"all 0/3; 3 jobs of look_shop: they moved, next try ", logged())
    line = last_line(result.out)
    assert line.startswith("next: 3 jobs cancelled: ")
    assert re.search(r"headgate retry manual-\S+ --pipeline small_shop$", line)


def test_a_run_whose_work_another_runner_holds_says_who_and_until_when(
    run: Run, database: Settings, plan: Plan, when: When, logged: Callable[[], str]
):
    write_plan(plan, assets=3)
    start(plan)
    plan.advance()
    assert plan.call("claim_jobs", p_runner="ghost")[0]["chunk_id"]
    shift = "update headgate.chunks set leased_until = leased_until - interval '%s'"
    over = """
        with late as (update headgate.chunks set leased_until = clock_timestamp() returning *)
        select pgmq.set_vt(queue, msg_id, clock_timestamp()), pg_notify('headgate_jobs', queue)
        from late
    """

    when(
        lambda: "waiting for 1 lease of runner ghost, last heard from at " in logged(),
        lambda other: other.sql(shift % "3 minutes"),
    )
    when(
        lambda: "waiting for 1 lease of runner ghost, gone since " in logged(),
        lambda other: other.sql(over),
    )
    result = run("run", "small_shop", "--json", settings=database)

    assert json.loads(result.out)["succeeded"] == 3
    assert re.search(r"runner ghost, gone since [-: 0-9]+, until [-: 0-9]+", logged())


@pytest.mark.parametrize("workers", ["1", "2"])
def test_our_own_runners_work_is_not_waited_for(
    run: Run,
    database: Settings,
    plan: Plan,
    when: When,
    logged: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    workers: str,
):
    monkeypatch.setattr(progress, "STILL_LOOKS", 0)
    write_plan(plan, assets=3)
    plan.sql("create table public.go (at timestamptz)")
    plan.sql(
        """
        create function public.wait(p_context jsonb, p_asset_ids bigint[], p_payloads text[])
        returns setof headgate.ingest_result language plpgsql security definer as $$
        begin
            while not exists (select from public.go) loop
                perform pg_sleep(0.02);
            end loop;
            return query select u.asset_id, 'success', 1, null::timestamptz, null::text
                from unnest(p_asset_ids) as u (asset_id);
        end $$
        """
    )
    plan.sql("update headgate.operations set ingest_function = 'public.wait'")
    adopt(plan.connection)

    when(
        lambda: logged().count("all 0/3") >= 3,
        lambda other: other.sql("insert into public.go values (now())"),
    )
    result = run("run", "small_shop", "--workers", workers, settings=database)

    assert result.code == 0
    assert "waiting for" not in logged()


def test_jobs_held_back_by_an_internal_fault_are_in_the_last_line_and_in_the_alerts(
    run: Run, database: Settings, plan: Plan
):
    broken(plan, "42P01")

    result = run("run", "small_shop", settings=database)

    assert result.code == 1
    line = last_line(result.out)
    assert line.startswith("next: 3 jobs deferred by an internal fault (")
    assert "it is broken" in line
    assert "; correct that first: " in line
    assert "headgate retry manual-" in line
    (alert,) = plan.sql(ALERTS)
    assert alert["subject"] == "step all of small_shop"
    assert "it is broken" in alert["message"]


def test_retry_continues_with_a_run_that_failed_and_resolves_its_alert(
    run: Run, database: Settings, plan: Plan
):
    broken(plan, "42P01")
    failed = json.loads(run("run", "small_shop", "--json", settings=database).out)
    assert [x["action"] for x in failed["next"]] == ["retry"]
    plan.sql(WORK)
    adopt(plan.connection)

    result = run("retry", failed["run_id"], "--json", settings=database)

    told = json.loads(result.out)
    assert (result.code, told["status"], told["succeeded"], told["next"]) == (0, "succeeded", 3, [])
    assert "goes on with 3 jobs" in result.err
    assert plan.sql(ALERTS) == []


def test_retry_says_when_there_is_nothing_to_run_again(run: Run, database: Settings, plan: Plan):
    write_plan(plan, assets=2)
    done = json.loads(run("run", "small_shop", "--json", settings=database).out)

    result = run("retry", done["run_id"], settings=database)

    assert result.code == 0
    assert "nothing can be retried now" in result.err


def test_retry_leaves_a_run_of_airflow_to_airflow(run: Run, database: Settings, plan: Plan):
    write_plan(plan, assets=2)
    plan.call("start_execution", p_pipeline="small_shop", p_run_id="scheduled__1")

    result = run("retry", "scheduled__1", settings=database)

    assert result.code == 1
    assert "is carried by Airflow [HG008]\nhint: clear its tasks there" in result.err


LATER = {"backoff": "1 hour", "backoff_max": "1 hour", "max_wait": "2 hours"}
"""A retry time that does not come during the test."""


def outage(plan: Plan) -> None:
    """Bring a run to the point where three jobs wait for a retry, and three for a runner."""
    write_plan(
        plan,
        assets=6,
        base_url="http://127.0.0.1:1",
        operation_columns={"chunk_size": 3, "units": 1, **LATER},
        provider_columns={"quota": 10},
    )
    start(plan)
    plan.advance()
    (chunk,) = plan.call("claim_jobs", p_runner="w1")
    plan.call(
        "complete_jobs",
        p_runner="w1",
        p_chunk_id=chunk["chunk_id"],
        p_lease_no=chunk["lease_no"],
        p_asset_ids=chunk["asset_ids"],
        p_outcomes=["retry"] * 3,
        p_faults=["provider"] * 3,
        p_errors=["it is down"] * 3,
        p_request_counts=[1] * 3,
    )


def test_status_of_a_run_says_what_it_waits_for(run: Run, database: Settings, plan: Plan):
    outage(plan)

    shown = run("status", "r1", settings=database)
    told = json.loads(run("status", "r1", "--json", settings=database).out)

    assert "small_shop r1: running, queued 3, parked 3, 3 units" in shown.err
    assert "provider: it is down" in shown.out
    assert "no runner is connected" in shown.out
    assert re.search(
        r"^next: 3 jobs wait: no runner is connected: \S*headgate worker$", shown.out, re.M
    )
    assert {x["reason"]: (x["jobs"], x["retries"]) for x in told["waiting"]} == {
        "provider: it is down": (3, 1),
        "no runner is connected": (3, 0),
    }
    assert {x["action"] for x in told["next"]} == {"wait", "work"}
    assert (told["units"], told["steps"][0]["units"]) == (3, 3)


def test_the_report_of_an_outage_says_what_waits(
    run: Run, database: Settings, plan: Plan, tmp_path: Path
):
    outage(plan)
    page = tmp_path / "r1.html"

    assert run("report", "r1", "-o", str(page), settings=database).code == 0

    text = page.read_text()
    assert "provider: it is down" in text
    assert "no runner is connected" in text
    assert "what waits is below" in text
    assert "None." not in text


def test_a_time_on_another_day_is_shown_with_its_date():
    now = datetime(2024, 3, 5, 12, 0).astimezone()

    assert console.as_clock(now + timedelta(hours=1), now) == "13:00:00"
    assert console.as_clock(now + timedelta(days=1), now) == "2024-03-06 12:00:00"
