"""Pipelines that run after others: once for each date on which all of these have succeeded."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.db.conftest import Toys
from tests.db.executions.graph import graph, retry, status, work
from tests.db.together import at_once, close
from tests.db.toy import NOON, Toy
from tests.plan import Row

DAY = datetime.fromisoformat("2024-03-01T00:00:00+00:00")
FIRST = "after-2024-03-01T00:00:00Z"
RUNS = (
    "select e.* from headgate.process_executions as e join headgate.pipelines as p"
    " using (pipeline_id) where p.name = %(name)s order by e.execution_id"
)
QUEUED = "select run_id, position, reason from headgate.v_queued_runs where pipeline = 'behind'"


def add(toy: Toy, name: str, *after: str) -> None:
    """Declare a pipeline of one step, after others."""
    toy.sql(
        "insert into headgate.pipelines (name, after) values (%(name)s, %(after)s::text[])",
        name=name,
        after=list(after),
    )
    toy.sql(
        "insert into headgate.pipeline_steps (pipeline_id, step, position, kind, function)"
        " select pipeline_id, 'only', 1, 'function', 'toy.well' from headgate.pipelines"
        " where name = %(name)s",
        name=name,
    )


def start(
    toy: Toy, pipeline: str = "graph", run: str = "r1", day: datetime | None = DAY, **how: bool
) -> None:
    """Start a run for a day."""
    toy.start(run, pipeline, p_driver="headgate", p_logical_date=day, **how)


def runs(toy: Toy, name: str = "behind") -> list[Row]:
    """Return the pipeline's runs."""
    return toy.sql(RUNS, name=name)


def names(toy: Toy, name: str = "behind") -> list[str]:
    """Return the names of the pipeline's runs."""
    return [x["run_id"] for x in runs(toy, name)]


@pytest.fixture
def after(toy: Toy) -> Toy:
    """Pipeline graph with one step, and pipeline behind, which runs after it."""
    return arranged(toy)


def arranged(toy: Toy) -> Toy:
    """Declare both pipelines."""
    graph(toy, x={"function": "well"})
    add(toy, "behind", "graph")
    return toy


def test_a_run_that_succeeds_starts_the_next_one_for_the_same_date(after: Toy):
    start(after)
    work(after)

    (run,) = runs(after)
    assert (run["run_id"], run["logical_date"], run["status"]) == (FIRST, DAY, "succeeded")
    with after.unchanged():
        assert not after.value("advance_executions")


def test_a_run_for_no_date_starts_one_for_the_moment_it_began(after: Toy):
    start(after, day=None)
    work(after)

    assert [x["logical_date"] for x in runs(after)] == [NOON]


@pytest.mark.parametrize("how", ["failed", "cancelled"])
def test_a_run_that_does_not_succeed_starts_nothing(after: Toy, how: str):
    function = "badly" if how == "failed" else "well"
    after.sql(
        "update headgate.pipeline_steps set function = %(f)s where step = 'x'", f=f"toy.{function}"
    )
    start(after)
    if how == "cancelled":
        after.call("cancel_execution", p_pipeline="graph", p_run_id="r1")
    work(after)

    assert (status(after), runs(after)) == (how, [])


def test_a_run_that_airflow_drives_starts_nothing(after: Toy):
    after.start("r1", "graph", p_logical_date=DAY)
    after.finish("r1", "graph")

    assert (status(after), after.sql(QUEUED)) == ("succeeded", [])


def test_a_run_that_succeeds_again_starts_nothing_more(after: Toy):
    start(after)
    work(after)
    after.call("rerun_step", p_pipeline="graph", p_run_id="r1", p_step="x")
    work(after)
    retry(after)
    start(after, run="r2")
    work(after)

    assert names(after) == [FIRST]


def test_a_failed_run_whose_step_is_marked_succeeded_starts_one(after: Toy):
    after.sql("update headgate.pipeline_steps set function = 'toy.badly' where step = 'x'")
    start(after)
    work(after)
    after.call("mark_step", p_pipeline="graph", p_run_id="r1", p_step="x", p_status="succeeded")
    work(after)

    assert names(after) == [FIRST]


def test_a_cancelled_run_that_is_retried_starts_one(after: Toy):
    start(after)
    after.call("cancel_execution", p_pipeline="graph", p_run_id="r1")
    retry(after)
    work(after)

    assert (status(after), names(after)) == ("succeeded", [FIRST])


def test_a_run_after_two_starts_when_both_have_succeeded_for_the_date(after: Toy):
    add(after, "other")
    add(after, "last", "graph", "other")
    start(after)
    start(after, "other", day=datetime.fromisoformat("2024-03-02T00:00:00+00:00"))
    work(after)
    assert runs(after, "last") == []

    start(after, "other", "r2")
    work(after)
    assert [x["logical_date"] for x in runs(after, "last")] == [DAY]


def test_a_chain_continues_to_its_end(after: Toy):
    add(after, "last", "behind")
    start(after)
    work(after)

    assert names(after, "last") == [FIRST]


@pytest.mark.parametrize("way", ["open", "paused"])
def test_a_following_run_is_queued_until_its_pipeline_is_free(after: Toy, way: str):
    start(after, "behind", "by hand")
    if way == "paused":
        work(after)
        after.call("pause_pipeline", p_pipeline="behind")
    else:
        after.sql(
            "update headgate.process_steps set status = 'running'"
        )  # advanced by another runner
    start(after)
    work(after)
    reason = "run by hand is under way" if way == "open" else "the pipeline is paused"
    assert after.sql(QUEUED) == [{"run_id": FIRST, "position": 1, "reason": reason}]
    assert after.sql(
        "select run_id, reason, jobs from headgate.v_waiting where cause = 'queued'"
    ) == [{"run_id": FIRST, "reason": f"runs are queued: {reason}", "jobs": 1}]

    if way == "paused":
        after.call("resume_pipeline", p_pipeline="behind")
    else:
        after.call("cancel_execution", p_pipeline="behind", p_run_id="by hand")
    work(after)
    assert names(after) == ["by hand", FIRST]
    assert after.sql(QUEUED) == []


def test_an_operator_takes_a_following_run_out_of_the_queue(after: Toy):
    after.call("pause_pipeline", p_pipeline="behind")
    start(after)
    work(after)
    after.call("cancel_execution", p_pipeline="behind", p_run_id=FIRST)
    after.call("resume_pipeline", p_pipeline="behind")
    work(after)

    assert (runs(after), after.sql(QUEUED)) == ([], [])
    (done,) = after.sql(
        "select arguments from headgate.v_operator_actions where action = 'cancel_execution'"
    )
    assert done["arguments"] == {"pipeline": "behind", "run_id": FIRST}


def test_a_following_run_that_cannot_start_raises_an_alert_and_holds_nothing_up(after: Toy):
    after.call("pause_pipeline", p_pipeline="behind")
    for run, day in (("r1", DAY), ("r2", NOON)):
        start(after, run=run, day=day)
        work(after)
    after.sql("update headgate.queued_runs set is_backfill = true where run_id = %(r)s", r=FIRST)
    after.call("resume_pipeline", p_pipeline="behind")
    work(after)
    assert names(after) == ["after-2024-03-05T12:00:00Z"]
    (alert,) = after.sql("select subject, message from headgate.v_alerts where resolved_at is null")
    assert alert["subject"] == "queued runs of behind"
    assert alert["message"].startswith(f"run {FIRST} could not be started: pipeline behind has no")

    after.later(minutes=1)
    start(after, run="r3", day=None)
    work(after)
    assert after.sql("select from headgate.v_alerts where resolved_at is null") == []


def test_a_run_after_a_back_fill_is_a_back_fill_if_its_requests_name_the_date(after: Toy):
    after.tune("look", query={"day": "{run.date}"})
    for name in ("graph", "plain"):
        after.sql(
            "update headgate.pipeline_steps set kind = 'fan_out', function = null, operations = '{look}'"
            " where pipeline_id = (select pipeline_id from headgate.pipelines where name = %(name)s)",
            name=name,
        )
    after.sql("update headgate.pipelines set after = '{graph}' where name = 'plain'")
    start(after, p_is_backfill=True)
    work(after)

    assert [x["is_backfill"] for x in runs(after, "plain")] == [True]
    assert [x["is_backfill"] for x in runs(after)] == [False]


def test_two_that_end_at_once_start_one(toys: Toys):
    one, two = toys.one, toys.another()
    arranged(one)
    add(one, "other")
    add(one, "last", "graph", "other")
    for pipeline in ("graph", "other"):
        start(one, pipeline)
    two.at(one.now)
    while one.scalar("select count(*) from headgate.process_executions where finished_at is null"):
        at_once(one.advance, two.advance)
    work(one)

    assert names(one, "last") == [FIRST]


def test_a_runner_killed_while_it_ends_the_run_leaves_all_to_the_next(toys: Toys):
    one, killed = toys.one, toys.another(autocommit=False)
    arranged(one)
    start(one)
    killed.at(one.now)
    while not killed.sql(QUEUED):
        assert killed.value("advance_executions")
    close(killed, one)
    assert (status(one), runs(one), one.sql(QUEUED)) == ("running", [], [])

    killed = toys.another(autocommit=False)
    killed.at(one.now)
    while not one.sql(QUEUED):
        assert one.value("advance_executions")
    assert killed.value("advance_executions")
    assert names(killed) == [FIRST]
    close(killed, one)
    work(one)
    assert names(one) == [FIRST]
