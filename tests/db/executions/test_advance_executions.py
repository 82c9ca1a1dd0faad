"""Runners advance executions with driver headgate from step to step, in calls of their own."""

from __future__ import annotations

from collections import Counter

from tests.db.conftest import Toys
from tests.db.executions.graph import graph, start, status, steps
from tests.db.together import meanwhile
from tests.db.toy import Toy

CALLS = "select f.funcname as name, f.calls from pg_stat_xact_user_functions as f"

STEPS_SCANNED = """
    select coalesce(sum(t.seq_scan), 0) from pg_stat_xact_user_tables as t where t.relname = 'process_steps'
"""


def run(toy: Toy, name: str = "r1", pipeline: str = "plain") -> None:
    """Start a run by an order."""
    toy.call("run_pipeline", p_pipeline=pipeline, p_run_id=name)


def advance(toy: Toy) -> bool:
    """Call advance_executions once."""
    return bool(toy.value("advance_executions"))


def test_steps_are_found_by_index_even_if_there_seem_to_be_few(toy: Toy):
    graph(toy, x={"function": "well"}, y={"function": "well", "depends_on": ["x"]})
    toy.sql("analyze headgate.process_steps")
    start(toy)

    before = toy.scalar(STEPS_SCANNED)
    toy.sql("select from headgate._advanceable(headgate.clock())")

    assert toy.scalar(STEPS_SCANNED) == before


def test_one_call_takes_one_step_and_says_whether_to_call_again(toy: Toy):
    graph(
        toy,
        x={"function": "well"},
        y={"function": "badly", "depends_on": ["x"]},
        z={"function": "well", "depends_on": ["y"]},
    )
    start(toy)

    seen = [(advance(toy), *steps(toy).values()) for _ in range(5)]

    assert seen == [
        (True, "succeeded", "pending", "pending"),
        (True, "succeeded", "failed", "pending"),
        (True, "succeeded", "failed", "skipped"),
        (True, "succeeded", "failed", "skipped"),  # ends the execution
        (False, "succeeded", "failed", "skipped"),
    ]
    assert status(toy) == "failed"


def test_a_step_that_is_due_is_planned_and_sent(toy: Toy):
    toy.add(3)
    run(toy)
    toy.advance()

    assert [x["state"] for x in toy.chunks()] == ["queued"]
    assert toy.units() == (3, 0)


def test_a_claim_starts_no_step(toy: Toy):
    toy.add(3)
    run(toy)

    with toy.unchanged():
        assert toy.ask()[0]["chunk_id"] is None


def test_nothing_is_touched_while_jobs_are_under_way(toy: Toy):
    toy.add(3)
    run(toy)
    toy.claim()

    with toy.unchanged():
        assert not advance(toy)


def test_airflow_s_runs_are_left_to_airflow(toy: Toy):
    toy.add(3)
    toy.start("r1", p_driver="airflow")

    with toy.unchanged():
        assert not advance(toy)


def test_a_paused_pipeline_waits(toy: Toy):
    toy.add(3)
    run(toy)
    toy.call("pause_pipeline", p_pipeline="plain")

    with toy.unchanged():
        assert not advance(toy)


def test_advancing_costs_the_same_however_many_executions_wait_for_their_jobs(toy: Toy):
    toy.sql("set track_functions = 'all'")
    counts = []
    for number in range(3):
        graph_of_one_job(toy, number)
        before = Counter({x["name"]: x["calls"] for x in toy.sql(CALLS)})
        assert not advance(toy)
        counts.append(Counter({x["name"]: x["calls"] for x in toy.sql(CALLS)}) - before)

    assert counts[0] == counts[1] == counts[2]
    assert counts[0].total() <= 8
    toy.sql("delete from headgate.process_steps")
    toy.sql("delete from headgate.process_executions")


def graph_of_one_job(toy: Toy, number: int) -> None:
    """Start a run of a pipeline of its own, whose only job is leased."""
    toy.sql(
        "insert into headgate.pipelines (name) values (%(name)s)",
        name=f"waits{number}",
    )
    toy.sql(
        "insert into headgate.process_executions (pipeline_id, run_id, driver, started_at)"
        " select p.pipeline_id, 'r', 'headgate', (select headgate.clock()) from headgate.pipelines as p where p.name = %(name)s",
        name=f"waits{number}",
    )
    toy.sql(
        "insert into headgate.process_steps (execution_id, step, position, kind, status, planned_at)"
        " select e.execution_id, s.step, s.position, 'fan_out', s.status, e.started_at"
        " from headgate.process_executions as e join headgate.pipelines as p using (pipeline_id)"
        " cross join (values ('work', 1, 'running')) as s (step, position, status)"
        " where p.name = %(name)s",
        name=f"waits{number}",
    )


def test_an_execution_that_another_runner_advances_is_skipped_and_others_continue(toys: Toys):
    one, busy = toys.one, toys.another(autocommit=False)
    graph(one, x={"function": "well"}, y={"function": "well", "depends_on": ["x"]})
    start(one)
    one.add(3)
    run(one, "r2")
    assert advance(busy)  # holds a lock on the graph's run until it commits

    with meanwhile(one.advance, one, busy):
        pass

    assert steps(one) == {"x": "pending", "y": "pending"}
    assert len(one.chunks("queued")) == 1
    busy.connection.commit()
    one.drain()
    assert status(one) == one.execution("r2")["status"] == "succeeded"
