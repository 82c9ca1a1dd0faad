"""Before Airflow calls a function, begin_step evaluates the step's condition, as with driver headgate."""

from __future__ import annotations

import pytest
from psycopg.types.json import Jsonb

from tests.db.executions.graph import start, step, steps
from tests.db.executions.test_conditions import asked
from tests.db.toy import Toy
from tests.plan import Row

NAMES = {"p_pipeline": "graph", "p_run_id": "r1"}


def begin(toy: Toy, name: str = "act") -> list[Row]:
    """Return whether a step is to be called."""
    return toy.call("begin_step", **NAMES, p_step=name)


def report(toy: Toy, name: str, status: str = "succeeded", state: str | None = None) -> None:
    """Report that Airflow has called a step."""
    output = Jsonb([{"ask": {"state": state}}] if state else [])
    toy.call("report_step", **NAMES, p_step=name, p_status=status, p_output=output)


def begun(toy: Toy, state: str, driver: str = "airflow") -> Toy:
    """Start a run whose first step has ended with an output."""
    asked(toy, state)
    start(toy, driver=driver)
    report(toy, "ask", state=state)
    return toy


def test_a_step_whose_condition_holds_is_called(toy: Toy):
    begun(toy, "healthy")
    with toy.unchanged():
        assert begin(toy) == []


def test_a_step_whose_condition_is_false_is_skipped_and_says_why(toy: Toy):
    begun(toy, "ill")
    (row,) = begin(toy)

    assert (row["step"], row["status"]) == ("act", "skipped")
    assert row["reason"].startswith('its condition is false: ($."steps"."ask"')
    assert (step(toy, "act")["status"], step(toy, "act")["skip_reason"]) == ("skipped", "condition")


def test_a_step_asked_for_twice_is_skipped_still_and_called_once_its_condition_holds(toy: Toy):
    begun(toy, "ill")
    begin(toy)
    assert len(begin(toy)) == 1

    report(toy, "ask", state="healthy")
    assert begin(toy) == []
    report(toy, "act")
    assert (step(toy, "act")["status"], step(toy, "act")["skip_reason"]) == ("succeeded", None)


def test_a_step_that_failed_is_tried_again_unasked(toy: Toy):
    begun(toy, "ill")
    report(toy, "act", "failed")

    assert begin(toy) == []


def test_a_step_that_succeeded_is_asked_again_when_it_is_cleared(toy: Toy):
    begun(toy, "healthy")
    report(toy, "act")
    report(toy, "ask", state="ill")

    assert len(begin(toy)) == 1
    assert steps(toy)["act"] == "skipped"


@pytest.mark.parametrize("name", ["ask", "no step"])
def test_a_step_without_a_condition_or_of_the_dag_alone_is_called(toy: Toy, name: str):
    begun(toy, "ill")
    assert begin(toy, name) == []


def test_a_run_that_headgate_drives_is_not_airflow_s(toy: Toy):
    begun(toy, "ill", driver="headgate")
    assert begin(toy) == []


def test_a_condition_that_cannot_be_decided_is_an_error(toy: Toy):
    asked(toy, "ill", condition="$.steps.ask.output.state > 3")
    start(toy, driver="airflow")
    report(toy, "ask", state="three")

    with toy.refused("HG020", "step act: its condition is neither true nor false"):
        begin(toy)
