"""An execution keeps the graph that it started with, however its pipeline changes."""

from __future__ import annotations

from typing import LiteralString

import pytest

from tests.db.executions import graph as g
from tests.db.toy import Toy

CHANGES: dict[str, LiteralString] = {
    "removed": "delete from headgate.pipeline_steps where step = 'judge'",
    "renamed": "update headgate.pipeline_steps set step = 'weigh' where step = 'judge'",
    "all removed": (
        "delete from headgate.pipeline_steps where pipeline_id ="
        " (select pipeline_id from headgate.pipelines where name = 'graph')"
    ),
    "of other groups": "update headgate.pipeline_steps set group_keys = '{Z}' where step = 'judge'",
    "a function by now": (
        "update headgate.pipeline_steps set kind = 'function', function = 'toy.badly',"
        " operations = null where step = 'judge'"
    ),
    "in another place": (
        "update headgate.pipeline_steps set depends_on = '{report}', position = 9 where step = 'judge'"
    ),
}


def begin(toy: Toy, driver: str = "headgate") -> None:
    """Start a run of a chain of two fan-outs and a report."""
    g.graph(
        toy,
        fetch={"operations": ["look"], "group_keys": ["A"]},
        judge={"operations": ["look"], "group_keys": ["B"], "depends_on": ["fetch"]},
        report={"function": "well", "depends_on": ["judge"]},
    )
    toy.add(2)
    toy.add(3, "B")
    g.start(toy, driver=driver)


@pytest.mark.parametrize("when", ["before it is planned", "in flight"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_step_that_is_changed_in_mid_run_runs_as_it_was(toy: Toy, change: str, when: str):
    begin(toy)
    if when == "in flight":
        (chunk,) = toy.claim()
        toy.complete(chunk)
        toy.advance()
    toy.sql(CHANGES[change])

    g.work(toy)
    assert g.steps(toy) == {"fetch": "succeeded", "judge": "succeeded", "report": "succeeded"}
    assert g.step(toy, "judge")["succeeded"] == 3
    assert g.status(toy) == "succeeded"


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_step_runs_as_it_was_with_driver_airflow(toy: Toy, change: str):
    begin(toy, "airflow")
    toy.call("check_quota", p_pipeline="graph", p_run_id="r1")
    toy.sql(CHANGES[change])

    assert toy.enqueue("fetch", pipeline="graph")["planned"] == 2
    assert toy.enqueue("judge", pipeline="graph")["planned"] == 3
    g.work(toy)
    assert toy.step("judge", pipeline="graph")["succeeded"] == 3
    report = {"p_pipeline": "graph", "p_run_id": "r1", "p_step": "report"}
    assert toy.call("report_step", **report, p_status="succeeded") != []
    assert toy.finish(pipeline="graph")["status"] == "succeeded"


def test_a_run_with_a_changed_step_can_be_retried_all_the_same(toy: Toy):
    begin(toy)
    toy.sql(CHANGES["removed"])
    g.work(toy, "judge")
    assert g.status(toy) == "failed"

    assert g.retry(toy)["planned"] == 3
    assert g.work(toy) == ["judge"]
    assert g.status(toy) == "succeeded"


def test_a_step_that_waits_for_nothing_is_seen_by_doctor(toy: Toy):
    begin(toy)
    assert len(toy.claim()) == 1
    toy.sql("delete from pgmq.q_shop_normal")
    toy.sql("delete from headgate.chunks")
    toy.sql(CHANGES["all removed"])

    found = {x["subject"]: x["found"] for x in toy.call("examine")}
    assert found["step fetch of r1"] == "it is running with nothing in flight: 2 jobs are lost"
    toy.call("repair")
    assert g.steps(toy)["fetch"] == "failed"
    toy.sql("update headgate.quota_windows set spent = 0")  # the units of the lost chunk


def test_a_new_run_takes_the_graph_as_it_is_then(toy: Toy):
    begin(toy)
    g.work(toy)
    toy.sql(
        CHANGES["renamed"] + "; update headgate.pipeline_steps set depends_on = '{weigh}'"
        " where step = 'report'"
    )
    toy.later(days=1)
    g.start(toy, "r2")
    g.work(toy)

    assert g.steps(toy, "r2") == {"fetch": "succeeded", "weigh": "succeeded", "report": "succeeded"}
