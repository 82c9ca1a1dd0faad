"""Runs that a scheduler has left open, for it to check whether they still exist."""

from __future__ import annotations

from tests.db.executions.graph import graph
from tests.db.toy import Toy


def test_open_runs_are_those_of_one_scheduler(toy: Toy):
    graph(toy, x={"operations": ["look"]})
    toy.start("r1", "graph", p_deployment="blue")
    toy.start("r2", "plain", p_dag="nightly")
    toy.start("r3", "aside", p_driver="headgate")

    def found(**wanted: str) -> list[tuple[str, ...]]:
        rows = toy.call("open_runs", **wanted)
        return [(x["pipeline"], x["run_id"], x["dag"]) for x in rows]

    assert found() == [("plain", "r2", "nightly")]
    assert found(p_deployment="blue") == [("graph", "r1", "graph")]


def test_a_run_that_was_opened_again_after_its_end_is_none_of_them(toy: Toy):
    """Such a run ends by itself; the scheduler's run has ended, so the scheduler would cancel it."""
    toy.add(1)
    toy.begin()
    toy.drain(outcome="failed")
    assert len(toy.call("open_runs")) == 1
    toy.finish()
    toy.enqueue(p_attempt=2)
    assert toy.execution()["status"] == "running"

    assert toy.call("open_runs") == []
    toy.drain()
