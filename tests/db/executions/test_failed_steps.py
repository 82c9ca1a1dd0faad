"""Failed steps, which a scheduler compares with its tasks."""

from __future__ import annotations

from tests.db.executions.graph import graph, start, work
from tests.db.toy import Toy


def test_failed_steps_are_those_that_failed_tolerated_or_not(toy: Toy):
    graph(
        toy,
        a={"function": "badly", "may_fail": True},
        b={"function": "well"},
        c={"function": "badly"},
        d={"function": "well", "depends_on": ["c"]},
    )
    start(toy)
    work(toy)

    found = toy.call("failed_steps", p_pipeline="graph", p_run_id="r1")
    assert [x["step"] for x in found] == ["a", "c"]


def test_an_unknown_run_is_refused(toy: Toy):
    with toy.refused("HG002", "nope"):
        toy.call("failed_steps", p_pipeline="plain", p_run_id="nope")
