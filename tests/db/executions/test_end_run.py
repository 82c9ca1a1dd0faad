"""A scheduler's run that was ended by hand or deleted: what it left open in the database ends, too."""

from __future__ import annotations

import pytest

from tests.db.executions.graph import graph, start, status, steps
from tests.db.toy import Toy
from tests.plan import Row

NAMED = {"p_pipeline": "graph", "p_run_id": "r1"}


@pytest.fixture
def under_way(toy: Toy) -> Toy:
    """Three jobs of a scheduler's run that wait in the queue."""
    graph(
        toy,
        x={"operations": ["look"], "group_keys": ["B"]},
        y={"function": "well", "depends_on": ["x"]},
    )
    toy.add(3, "B")
    start(toy, driver="airflow")
    toy.enqueue("x", "r1", "graph")
    assert toy.units() == (3, 0)
    return toy


def end(toy: Toy, state: str) -> list[Row]:
    return toy.call("end_run", **NAMED, p_state=state)


@pytest.mark.parametrize("state", ["success", "failed", "gone"])
def test_jobs_in_flight_are_cancelled_and_the_next_run_starts(under_way: Toy, state: str):
    assert end(under_way, state) == [{"status": "cancelled", "cancelled": 3}]

    assert under_way.units() == (0, 0)
    assert status(under_way) == "cancelled"
    start(under_way, "r2", "airflow")


def test_a_second_call_changes_nothing(under_way: Toy):
    end(under_way, "gone")

    with under_way.unchanged():
        assert end(under_way, "failed") == []


def test_a_run_that_succeeded_with_nothing_under_way_ends_as_its_steps_say(under_way: Toy):
    under_way.drain()

    assert end(under_way, "success") == [{"status": "succeeded", "cancelled": 0}]
    assert steps(under_way) == {"x": "succeeded", "y": "skipped"}


def test_a_run_of_the_runners_is_not_its_business(toy: Toy):
    graph(toy, x={"operations": ["look"]})
    start(toy)

    with toy.unchanged():
        assert end(toy, "gone") == []


def test_an_unknown_state_is_refused(under_way: Toy):
    with under_way.refused("HG008", "outcome of a run: 'lost'", "success, failed or gone"):
        end(under_way, "lost")
