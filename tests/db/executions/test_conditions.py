"""Steps that run only if a predicate over the run document holds."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adopt import adopt
from tests.db.conftest import Toys
from tests.db.executions.graph import graph, retry, start, status, step, steps, work
from tests.db.together import meanwhile
from tests.db.toy import Toy

HEALTHY = '$.steps.ask.output.state == "healthy"'
ANSWER = """
create or replace function toy.ask(p_pipeline text, p_run_id text) returns jsonb language sql
as 'select ''{{"state": "{}", "count": 3}}''::jsonb'
"""


def asked(toy: Toy, state: str, condition: str = HEALTHY, **then: Any) -> None:
    """Declare a step with an output, a conditional step, and one after it."""
    toy.sql(ANSWER.format(state))
    graph(
        toy,
        ask={"function": "ask"},
        act={"depends_on": ["ask"], "condition": condition, **(then or {"function": "well"})},
        tell={"function": "well", "depends_on": ["act"]},
        close={"function": "well", "depends_on": ["act"], "trigger_rule": "none_failed"},
    )


@pytest.mark.parametrize("then", [{"function": "well"}, {"operations": ["look"]}])
@pytest.mark.parametrize("state", ["healthy", "ill"])
def test_a_step_runs_where_its_condition_holds_and_is_skipped_where_not(
    toy: Toy, state: str, then: dict[str, Any]
):
    asked(toy, state, **then)
    toy.add(3)
    start(toy)
    work(toy)

    is_run = state == "healthy"
    became = "succeeded" if is_run else "skipped"
    assert steps(toy) == {"ask": "succeeded", "act": became, "tell": became, "close": "succeeded"}
    assert step(toy, "act")["skip_reason"] == (None if is_run else "condition")
    assert step(toy, "tell")["skip_reason"] == (None if is_run else "rule")
    assert status(toy) == "succeeded"
    assert toy.chunks() == []


def test_the_log_says_which_condition_was_not_met(toy: Toy):
    asked(toy, "ill")
    start(toy)
    work(toy)

    log = toy.call("run_log", p_pipeline="graph", p_run_id="r1")
    assert any('its condition is not met: ($."steps"."ask"' in str(x) for x in log)


def test_jobs_planned_for_a_skipped_step_stay_due_and_return_their_units(toy: Toy):
    asked(toy, "ill", operations=["look"])
    toy.add(3)
    start(toy)
    toy.check(pipeline="graph")
    assert toy.units() == (3, 0)
    work(toy)

    assert (toy.units(), toy.endings()) == ((0, 0), {"deferred": 3})
    toy.start("r2", "graph", p_driver="headgate")
    assert toy.sql("select count(*) as n from headgate.v_assets_needing_processing")[0]["n"] == 3
    work(toy)


def test_counts_and_parameters_may_be_read(toy: Toy):
    asked(
        toy, "ill", '$.steps.ask.output.count > 2 && $.run.pipeline == "graph" && exists ($.params)'
    )
    start(toy)
    work(toy)

    assert steps(toy)["act"] == "succeeded"


@pytest.mark.parametrize("then", [{"function": "well"}, {"operations": ["look"]}])
@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("$.steps.ask.output.state > 5", "it compares what cannot be compared"),
        ("$.steps.ask.output.state", "single boolean result is expected"),
    ],
)
def test_a_condition_that_cannot_be_decided_fails_the_step_and_says_why(
    toy: Toy, condition: str, said: str, then: dict[str, Any]
):
    asked(toy, "ill", condition, **then)
    toy.add(2)
    start(toy)
    work(toy)

    output = step(toy, "act")["output"]
    assert output["code"] == "HG020"
    assert output["error"].startswith("step act: its condition is neither true nor false: ")
    assert output["error"].endswith(said)
    assert "v_run_documents" in output["hint"]
    assert (steps(toy)["act"], steps(toy)["close"], status(toy)) == ("failed", "skipped", "failed")


def test_airflow_is_told_that_the_step_is_skipped(toy: Toy):
    asked(toy, "ill", operations=["look"])
    toy.add(3)
    start(toy, driver="airflow")
    toy.call("report_step", p_pipeline="graph", p_run_id="r1", p_step="ask", p_status="succeeded")

    row = toy.enqueue("act", pipeline="graph")
    assert (row["status"], row["planned"], row["sent"]) == ("skipped", 0, 0)
    with toy.unchanged():
        assert toy.enqueue("act", pipeline="graph")["status"] == "skipped"


def test_a_condition_is_asked_again_when_the_step_before_runs_again(toy: Toy):
    graph(
        toy,
        ask={"function": "badly"},
        act={
            "function": "well",
            "depends_on": ["ask"],
            "trigger_rule": "all_done",
            "condition": HEALTHY,
        },
    )
    start(toy)
    work(toy)
    assert steps(toy) == {"ask": "failed", "act": "skipped"}
    toy.sql("create or replace function toy.badly(p_pipeline text, p_run_id text) returns jsonb language sql"
            """ as 'select ''{"state": "healthy"}''::jsonb'""")  # fmt: skip
    adopt(toy.connection, "toy")

    assert retry(toy)["reopened"] == 2
    work(toy)
    assert (steps(toy), status(toy)) == ({"ask": "succeeded", "act": "succeeded"}, "succeeded")


def test_two_runners_that_advance_at_once_decide_a_condition_once(toys: Toys):
    one, two = toys.one, toys.another(autocommit=False)
    asked(one, "ill")
    start(one)
    one.value("advance_executions")
    assert two.value(
        "advance_executions"
    )  # skips the step, and holds the run's lock until it commits

    with meanwhile(one.advance, one, two):
        pass
    assert steps(one)["act"] == "pending"
    two.connection.commit()
    one.advance()
    assert (steps(one)["act"], status(one)) == ("skipped", "succeeded")


def test_a_run_keeps_the_condition_with_which_it_started(toy: Toy):
    asked(toy, "healthy")
    start(toy)
    toy.sql("update headgate.pipeline_steps set condition = '1 == 2' where step = 'act'")
    work(toy)

    assert steps(toy)["act"] == "succeeded"
