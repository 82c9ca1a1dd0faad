"""An operator sets a step's result, and the chain continues."""

from __future__ import annotations

import pytest

from tests.db.executions.graph import graph, mark, retry, start, status, step, steps, work
from tests.db.toy import Toy


def chain(toy: Toy, **first: object) -> None:
    """Declare three steps in a row, the first of which fails by default."""
    graph(
        toy,
        x=first or {"function": "badly"},
        y={"function": "well", "depends_on": ["x"]},
        z={"operations": ["look"], "group_keys": ["A"], "depends_on": ["y"]},
    )


@pytest.mark.parametrize("how", ["succeeded", "skipped"])
def test_steps_skipped_after_a_failed_one_run_and_the_run_succeeds(toy: Toy, how: str):
    chain(toy)
    toy.add(2)
    start(toy)
    work(toy)
    assert steps(toy) == {"x": "failed", "y": "skipped", "z": "skipped"}
    assert status(toy) == "failed"

    assert mark(toy, "x", how) == {"cancelled": 0, "reopened": 2}

    assert status(toy) == "running"
    assert work(toy) == ["z"]
    assert steps(toy) == {"x": how, "y": "succeeded", "z": "succeeded"}
    assert status(toy) == "succeeded"


@pytest.mark.parametrize("how", ["succeeded", "skipped"])
def test_jobs_that_have_not_started_are_cancelled_and_return_their_units(toy: Toy, how: str):
    chain(toy, operations=["look"], group_keys=["B"])
    toy.add(3, "B")
    start(toy)
    toy.advance()
    assert toy.units() == (3, 0)

    assert mark(toy, "x", how) == {"cancelled": 3, "reopened": 0}

    assert toy.units() == (0, 0)
    work(toy)
    assert steps(toy) == {"x": how, "y": "succeeded", "z": "succeeded"}


def test_calls_under_way_end_by_themselves(toy: Toy):
    chain(toy, operations=["look"], group_keys=["B"])
    toy.add(3, "B")
    start(toy)
    (chunk,) = toy.claim()
    mark(toy, "x", "succeeded")
    toy.complete(chunk, "failed")

    assert (step(toy, "x")["status"], step(toy, "x")["failed"]) == ("succeeded", 3)
    work(toy)


def test_a_run_that_has_ended_ends_again_as_its_steps_say_where_nothing_is_behind(toy: Toy):
    graph(toy, x={"function": "badly"})
    start(toy)
    work(toy)
    assert status(toy) == "failed"

    mark(toy, "x", "succeeded")

    assert status(toy) == "succeeded"


def test_steps_of_airflow_wait_for_airflow(toy: Toy):
    chain(toy, operations=["look"], group_keys=["B"])
    toy.add(1)
    toy.add(1, "B")
    start(toy, driver="airflow")
    toy.enqueue("x", pipeline="graph")
    work(toy, "x")
    assert toy.finish(pipeline="graph")["status"] == "failed"
    assert steps(toy) == {"x": "failed", "y": "skipped", "z": "skipped"}

    mark(toy, "x", "succeeded")

    assert steps(toy) == {"x": "succeeded", "y": "skipped", "z": "skipped"}
    assert status(toy) == "succeeded"
    toy.enqueue("z", pipeline="graph")
    assert work(toy) == ["z"]
    assert toy.finish(pipeline="graph")["status"] == "succeeded"


def test_a_marked_step_stays_so_until_an_operator_names_it(toy: Toy):
    chain(toy, operations=["look"], group_keys=["B"])
    toy.add(1)
    toy.add(1, "B")
    start(toy)
    work(toy, "x")
    mark(toy, "x", "succeeded")
    work(toy, "z")

    assert (retry(toy)["planned"], steps(toy)["x"]) == (1, "succeeded")
    assert work(toy) == ["z"]
    assert (retry(toy, p_step="x")["planned"], steps(toy)["x"]) == (1, "running")
    assert "x" in work(toy)
    assert status(toy) == "succeeded"


def test_succeeded_and_marked_steps_stay_unchanged(toy: Toy):
    chain(toy, function="well")
    start(toy)
    work(toy)
    with toy.unchanged():
        assert mark(toy, "x", "skipped") == {"cancelled": 0, "reopened": 0}

    toy.start("r2", "graph", p_driver="headgate")
    names = {"p_pipeline": "graph", "p_run_id": "r2", "p_step": "x", "p_status": "skipped"}
    toy.call("mark_step", **names)
    with toy.unchanged():
        toy.call("mark_step", **names)
    work(toy)


def test_marked_as_failed_it_has_failed_and_what_had_not_started_is_cancelled(toy: Toy):
    chain(toy, operations=["look"], group_keys=["B"])
    toy.add(3, "B")
    start(toy)
    toy.advance()

    assert mark(toy, "x", "failed") == {"cancelled": 3, "reopened": 0}

    assert toy.units() == (0, 0)
    work(toy)
    assert steps(toy) == {"x": "failed", "y": "skipped", "z": "skipped"}
    assert status(toy) == "failed"


def test_unknown_names_are_refused(toy: Toy):
    chain(toy)
    start(toy)

    with toy.refused("HG003", "unknown step: 'nope'", "x, y, z"):
        mark(toy, "nope", "skipped")
    with toy.refused("HG008", "marked 'lost'", "succeeded, skipped or failed"):
        mark(toy, "x", "lost")
    toy.call("cancel_execution", p_pipeline="graph", p_run_id="r1")
    with toy.refused("HG014", "cancelled", "retry_failed"):
        mark(toy, "x", "skipped")


@pytest.mark.parametrize(
    ("hand", "end"),
    [
        ("mark_step(p_pipeline, p_run_id, 'x', 'skipped')", "skipped"),
        ("mark_step(p_pipeline, p_run_id, 'x', 'succeeded')", "succeeded"),
        ("cancel_execution(p_pipeline, p_run_id)", "cancelled"),
    ],
)
def test_a_mark_set_while_its_function_runs_holds(toy: Toy, hand: str, end: str):
    toy.connection.execute(
        "create function toy.meanwhile(p_pipeline text, p_run_id text) returns jsonb language plpgsql"
        f' as $$ begin perform headgate.{hand}; return \'{{"status": "failed"}}\'; end $$'.encode()
    )
    chain(toy, function="meanwhile")
    toy.sql("grant headgate_planner to headgate_plan_toy")
    start(toy)
    work(toy)

    assert steps(toy)["x"] == end
    assert status(toy) == ("cancelled" if end == "cancelled" else "succeeded")
