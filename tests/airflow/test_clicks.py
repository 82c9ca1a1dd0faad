"""What people do by hand, each action alone and all in any order: both sides agree.

docs/airflow-clicks.md has a row for each possible action, with the test that covers it.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.airflow.clicks import ASSETS, CLICKS, STEPS, UNITS, make_clicks_due
from tests.airflow.looks import SAME, first_run, wait_for_run
from tests.airflow.machine import SEQUENCES, Click, Desk
from tests.airflow.scene import Scene
from tests.airflow_home import NEEDS_AIRFLOW
from tests.attacks.form import SEED, either
from tests.limits import wait_until
from tests.plan import Row

pytestmark = NEEDS_AIRFLOW

PAGE = Path(__file__).resolve().parents[2] / "docs" / "airflow-clicks.md"
TEST = re.compile(r"`(test_\w+)`")
HALF = ASSETS // 2
END = "clicks_end"
"""The pool of the task that ends a run."""


@pytest.fixture(scope="module", autouse=True)
def let_go(stack: Scene) -> None:
    """Make the pool of the DAG `clicks`, and unpause it and one whose requests contain no date."""
    stack.api("pools", {"name": END, "slots": 1})
    stack.let_go(CLICKS, "trading_calendars")
    wait_until(lambda: first_run(stack, CLICKS, "scheduled"), "the run by the clock")


@pytest.fixture
def desk(stack: Scene) -> Iterator[Desk]:
    """Return a desk; everything is due, and the provider answers."""
    desk = Desk(stack)
    desk.tidy()
    yield desk
    stack.answers.set_mood("answers")


def ended(desk: Desk, run: str) -> dict[str, Any]:
    """Wait until a run has ended on both sides; return its row in the plan."""
    wait_until(lambda: desk.is_quiet(), f"the end of {run}")
    return desk.stack.execution(CLICKS, run)


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Suspend a process in the block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def picture(desk: Desk, run: str) -> Row:
    """Return a run's result: its counts, and the ends of its fan-outs."""
    execution = desk.stack.execution(CLICKS, run)
    names = ("status", "planned", "succeeded", "failed", "deferred", "skipped", "units")
    steps = desk.steps(run)
    return {x: execution[x] for x in names} | {x: steps[x] for x in STEPS}


def retried_by_psql(desk: Desk) -> Row:
    """Return the result of a failed run without Airflow whose failures are retried."""
    plan = desk.stack.plan
    make_clicks_due(plan)
    desk.the_provider("fails")
    run = plan.row("run_pipeline", p_pipeline=CLICKS)["run_id"]
    wait_until(lambda: desk.executions()[run] == "failed", f"the failure of {run}")
    desk.the_provider("answers")
    plan.call("retry_failed", p_pipeline=CLICKS, p_run_id=run)
    wait_until(lambda: desk.executions()[run] == "succeeded", f"the end of {run}")
    return picture(desk, run)


def by_psql_filled(desk: Desk, *days: str) -> list[Row]:
    """Return the executions of a backfill by psql, without their dates."""
    plan = desk.stack.plan
    asked = {"p_pipeline": CLICKS, "p_from": days[0], "p_to": days[-1]}
    assert plan.row("backfill", **asked)["queued"] == len(days)
    wait_until(
        lambda: plan.row("backfill", **asked)["done"] == len(days), "the end of the back-fill"
    )
    found = dated(desk, [f"backfill-{x}" for x in days])
    assert list(found) == list(days)
    return list(found.values())


def dated(desk: Desk, runs: list[str]) -> dict[str, Row]:
    """Return the executions of these runs by their dates."""
    rows = desk.stack.rows(
        "select e.status, e.is_backfill, e.planned, e.succeeded, e.failed, e.deferred, e.skipped,"
        " e.units, to_char(e.logical_date, 'YYYY-MM-DD') as date"
        " from headgate.process_executions as e"
        " where e.run_id = any (%(runs)s) order by e.logical_date",
        runs=runs,
    )
    return {x.pop("date"): x for x in rows}


def has_failed(desk: Desk) -> str:
    """Let a run fail because the provider does not know every other asset; return the run."""
    desk.the_provider("fails")
    run = desk.stack.trigger(CLICKS)
    execution = ended(desk, run)
    assert (execution["status"], execution["units"]) == ("failed", ASSETS * UNITS)
    desk.the_provider("answers")
    return run


def test_a_run_that_is_cleared_as_a_whole_repeats_no_job_that_has_succeeded(desk: Desk):
    run = has_failed(desk)
    assert desk.clear_the_run(run) == "done"

    execution = ended(desk, run)
    assert desk.runs()[run] == "success"
    assert (execution["status"], execution["succeeded"]) == ("succeeded", 2 * ASSETS)
    assert execution["units"] == (ASSETS + HALF + ASSETS) * UNITS
    assert picture(desk, run) == retried_by_psql(desk)


def test_a_step_that_is_cleared_alone_repeats_its_jobs_and_its_run_stays_red(desk: Desk):
    run = has_failed(desk)
    assert desk.clear(run, "first", "alone") == "done"
    wait_until(lambda: desk.steps(run)["first"] == "succeeded", "its jobs")

    execution = ended(desk, run)
    assert (desk.runs()[run], desk.states_of(run)["first"]) == ("failed", "success")
    assert (
        execution["status"] == "succeeded"
    )  # by its steps: nothing has failed in this run any more
    assert execution["units"] == (ASSETS + HALF) * UNITS


@pytest.mark.parametrize("mark", ["failed", "skipped", "success"])
def test_a_step_that_a_person_marks_before_its_turn_ends_so_in_both_windows(desk: Desk, mark: str):
    desk.the_provider("holds")
    run = desk.stack.trigger(CLICKS)
    wait_until(lambda: desk.steps(run).get("first") == "running", "the step before it")
    assert desk.mark_the_task(run, "second", mark) == "done"
    desk.the_provider("answers")

    said = {"failed": "failed", "skipped": "succeeded", "success": "succeeded"}[mark]
    assert ended(desk, run)["status"] == said
    assert desk.runs()[run] == ("failed" if mark == "failed" else "success")
    assert desk.steps(run)["second"] == SAME[mark]
    assert desk.steps(run)["first"] == "succeeded"


def test_marking_a_step_as_failed_whose_jobs_have_just_succeeded_fails_the_steps_after_it(
    desk: Desk,
):
    desk.the_provider("holds")
    run = desk.stack.trigger(CLICKS)
    with its_end_unheard(desk, run, "first"):
        assert desk.mark_the_task(run, "first", "failed") == "done"

    assert ended(desk, run)["status"] == "failed"
    assert desk.runs()[run] == "failed"
    steps = desk.steps(run)
    assert (steps["first"], steps["second"]) == ("succeeded", "failed")


def test_marking_a_step_as_failed_when_all_is_done_fails_the_run_in_both_windows(
    desk: Desk,
):
    with desk.stack.without_slots(END):
        run = desk.stack.trigger(CLICKS)
        wait_until(
            lambda: desk.stack.task_states(CLICKS, run)["finalize_execution"] == "scheduled",
            "the end of all other tasks",
        )
        assert desk.mark_the_task(run, "second", "failed") == "done"
        assert desk.states_of(run)["finalize_execution"] == "scheduled"

    assert ended(desk, run)["status"] == "failed"
    assert desk.runs()[run] == "failed"
    steps = desk.steps(run)
    assert (steps["second"], steps["finalize_execution"]) == ("succeeded", "failed")
    line = desk.stack.last_line(CLICKS, run, "finalize_execution")
    assert "second failed in Airflow, and no step did" in line


def test_marking_a_step_as_failed_while_the_task_after_it_runs_ends_the_run_in_both_windows(
    desk: Desk,
):
    plan = desk.stack.plan
    desk.the_provider("holds")
    run = desk.stack.trigger(CLICKS)
    with its_end_unheard(desk, run, "first"):
        pass
    with plan.connection.transaction():
        with its_end_unheard(desk, run, "second"):
            plan.sql("lock table headgate.pipeline_parameters")  # which look_back reads
        wait_until(
            lambda: desk.stack.task_states(CLICKS, run)["look_back"] == "running",
            "the task after it",
        )
        assert desk.mark_the_task(run, "second", "failed") == "done"
        wait_for_run(desk.stack, CLICKS, run)  # Airflow ends it: no task of it can begin any more

    assert ended(desk, run)["status"] == "cancelled"
    assert (desk.runs()[run], desk.states_of(run)["look_back"]) == ("failed", "upstream_failed")
    steps = desk.steps(run)
    assert (steps["second"], steps["finalize_execution"]) == ("succeeded", "cancelled")


@contextmanager
def its_end_unheard(desk: Desk, run: str, step: str) -> Iterator[None]:
    """Let a step end whose calls the provider holds, while no trigger waits for it."""
    wait_until(lambda: desk.stack.task_states(CLICKS, run)[step] == "deferred", "the step's task")
    wait_until(lambda: desk.steps(run).get(step) == "running", "the step")
    with stopped(desk.stack.pid("triggerer")):
        desk.the_provider("answers")
        wait_until(lambda: desk.steps(run)[step] == "succeeded", "the step's end")
        yield
        desk.the_provider("holds")


def test_deleting_a_run_that_has_ended_leaves_what_it_did_in_the_plan(desk: Desk):
    run = desk.stack.trigger(CLICKS)
    before = ended(desk, run)
    assert desk.delete_the_run(run) == "done"

    assert run not in desk.runs()
    assert desk.stack.execution(CLICKS, run) == before
    assert (before["status"], before["units"]) == ("succeeded", 2 * ASSETS * UNITS)


def test_runs_of_a_back_fill_follow_each_other_and_know_their_dates(desk: Desk):
    assert desk.back_fill() == "done"
    wait_until(desk.is_quiet, "the end of the back-fill")

    runs = [x for x in desk.runs() if x.startswith("backfill")]
    assert {desk.runs()[x] for x in runs} == {"success"}
    by_airflow = dated(desk, runs)
    dates = ["2021-01-01", "2022-01-01"]
    done = {"status": "succeeded", "is_backfill": True, "planned": 2 * ASSETS}
    assert [done.items() <= x.items() for x in by_airflow.values()] == [True] * 2, by_airflow
    assert list(by_airflow) == dates
    assert {*dates} <= desk.stack.answers.days
    assert by_psql_filled(desk, "2022-01-02", "2022-01-03") == list(by_airflow.values())


def test_a_plan_that_knows_no_dates_refuses_a_run_for_a_day_that_is_past(desk: Desk):
    days = {"from_date": "2026-03-01T00:00:00Z", "to_date": "2026-03-15T00:00:00Z"}
    answer = desk.stack.client.post("backfills", json=days | {"dag_id": "trading_calendars"})
    assert answer.status_code == 400 and "no request that names a date" in answer.text

    past = {"logical_date": "2026-03-02T00:00:00Z"}
    run = desk.stack.api("dags/trading_calendars/dagRuns", past)["dag_run_id"]
    wait_for_run(desk.stack, "trading_calendars", run)

    line = desk.stack.last_line("trading_calendars", run, "initialize_execution")
    assert "has no request that names a date: a run for 2026-03-02 would do today's work" in line
    assert desk.stack.runs("trading_calendars")[run] == "failed"


def test_a_run_id_that_has_been_used_is_not_taken_again_with_another_conf(desk: Desk):
    run = desk.stack.trigger(CLICKS, {"codes": ["N1"]})
    ended(desk, run)
    spent = desk.stack.answers.served
    for codes in (["N1"], ["N2"]):
        assert desk.stack.client.delete(f"dags/{CLICKS}/dagRuns/{run}").is_success
        given = {"logical_date": None, "dag_run_id": run, "conf": {"codes": codes}}
        desk.stack.api(f"dags/{CLICKS}/dagRuns", given)
        wait_for_run(desk.stack, CLICKS, run)

    assert desk.stack.runs(CLICKS)[run] == "failed"
    assert "HG021" in desk.stack.last_line(CLICKS, run, "initialize_execution")
    assert desk.stack.answers.served == spent


def test_a_run_that_is_triggered_with_conf_does_what_that_names_and_no_more(desk: Desk):
    run = desk.stack.trigger(CLICKS, {"codes": ["N1"]})

    execution = ended(desk, run)
    assert (execution["planned"], execution["units"]) == (2, 2 * UNITS)


def test_each_row_of_the_page_has_a_test():
    rows = [x for x in PAGE.read_text().splitlines() if x.startswith("|")][2:]
    tests = "".join(x.read_text() for x in Path(__file__).parent.glob("test_*.py"))

    assert len(rows) >= 12
    named = [name for row in rows for name in TEST.findall(row) or [f"none: {row}"]]
    assert [x for x in named if f"\ndef {x}(" not in tests] == []


@seed(SEED)
@settings(
    max_examples=either(2, 30),
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(drawn=SEQUENCES)
def test_in_whatever_order_things_are_done_both_sides_agree_and_the_next_run_starts(
    stack: Scene, drawn: tuple[str, list[Click]]
):
    mood, clicks = drawn
    print(f"\n{len(clicks)} clicks, seed {SEED}:")
    Desk(stack).play(mood, clicks)
