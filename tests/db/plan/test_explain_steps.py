"""What whole steps and runs wait for, and which will be skipped, is listed beside the plan of their jobs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.db.executions.graph import graph, start, work
from tests.db.executions.test_conditions import asked
from tests.db.toy import Toy
from tests.plan import Row


def explained(toy: Toy, **more: Any) -> list[Row]:
    """Return the rows of explain_steps, which explain_plan has too, without an asset."""
    rows = toy.call("explain_steps", p_pipeline="graph", **more)
    plan = toy.call("explain_plan", p_pipeline="graph", **more)
    told = [(x["decision"], x["reason"], x["run_at"]) for x in plan if x["asset"] is None]
    assert sorted(told, key=str) == sorted(
        ((x["decision"], x["reason"], x["run_at"]) for x in rows), key=str
    )
    return rows


def test_a_step_waits_for_its_retry_until_a_time(toy: Toy):
    graph(toy, x={"function": "badly", "retries": 3, "retry_delay": "7 minutes"})
    start(toy)
    work(toy)

    (row,) = explained(toy)
    assert (row["run_id"], row["step"], row["decision"]) == ("r1", "x", "defer")
    assert row["reason"] == "the step has failed and is run again: retry 1 of 3"
    assert row["run_at"] == toy.now.replace(minute=7)
    (waiting,) = toy.sql("select step, next_try_at from headgate.v_waiting")
    assert waiting == {"step": "x", "next_try_at": row["run_at"]}


def test_a_condition_over_parameters_is_told_before_there_is_a_run(toy: Toy):
    graph(toy, x={"function": "well", "condition": '$.params.mode == "full"'})
    toy.sql(
        "insert into headgate.pipeline_parameters (pipeline_id, name, type, default_value, effect)"
        " select pipeline_id, 'mode', 'text', '\"some\"', 'request' from headgate.pipelines where name = 'graph'"
    )
    (row,) = explained(toy)
    assert (row["run_id"], row["step"], row["decision"]) == (None, "x", "skip")
    assert row["reason"] == 'its condition is false: ($."params"."mode" == "full")'

    assert explained(toy, p_params={"mode": "full"}) == []


@pytest.mark.parametrize(("state", "skipped"), [("ill", ["act"]), ("healthy", [])])
def test_a_condition_over_steps_is_told_when_these_have_ended(
    toy: Toy, state: str, skipped: list[str]
):
    asked(toy, state)
    assert explained(toy) == []
    start(toy)
    assert explained(toy) == []

    assert toy.value("advance_executions")
    assert [x["step"] for x in explained(toy)] == skipped
    work(toy)
    assert explained(toy) == []


def test_queued_runs_and_a_run_over_its_deadline_are_reported(toy: Toy):
    graph(toy, x={"function": "badly", "retries": 1, "retry_delay": "1 day"})
    toy.sql("update headgate.pipelines set timeout = '1 hour' where name = 'graph'")
    start(toy)
    work(toy)
    for day in ("2024-03-01", "2024-03-02"):
        toy.sql(
            "insert into headgate.queued_runs (pipeline_id, run_id, logical_date, queued_at) select"
            " pipeline_id, 'after-' || %(d)s, %(d)s::timestamptz, now() from headgate.pipelines where name = 'graph'",
            d=day,
        )
    toy.later(hours=2)

    rows = {(x["run_id"], x["step"]): (x["decision"], x["reason"]) for x in explained(toy)}
    said = "the run is over its deadline since 2024-03-05 13:00:00: what has not ended fails"
    assert rows["r1", None] == ("skip", said)
    queued = "the run is queued, number {}: run r1 is under way"
    assert rows["after-2024-03-01", None] == ("defer", queued.format(1))
    assert rows["after-2024-03-02", None] == ("defer", queued.format(2))


def test_for_given_assets_only_their_plan_is_listed(toy: Toy):
    graph(toy, x={"function": "badly", "retries": 1})
    start(toy)
    work(toy)

    assert toy.call("explain_plan", p_pipeline="graph", p_assets=[1]) == []
