"""Skipping a step."""

from __future__ import annotations

import pytest

from tests.db.executions.graph import graph, start, status, step, steps, work
from tests.db.toy import Toy


def skip(toy: Toy, step: str = "a") -> int:
    """Skip a step of r1; return the number of jobs."""
    return int(toy.value("skip_step", p_pipeline="plain", p_run_id="r1", p_step=step))


def test_jobs_that_have_not_started_are_cancelled_and_the_rest_continues(toy: Toy):
    toy.add(25)
    toy.add(3, "B")
    toy.begin("a", "b")

    assert skip(toy) == 25
    step = toy.step()
    assert (step["status"], step["skipped"], step["planned"]) == ("skipped", 25, 25)
    assert toy.units() == (3, 0)
    assert toy.drain() == 3
    assert toy.finish()["status"] == "succeeded"


def test_a_step_that_has_not_begun_is_skipped(toy: Toy):
    toy.add(3)
    toy.start()

    assert skip(toy) == 0
    assert toy.step()["status"] == "skipped"
    assert toy.enqueue()["status"] == "skipped"
    assert toy.chunks() == []


def test_a_skipped_step_is_not_planned_later(toy: Toy):
    toy.add(3)
    toy.start()
    skip(toy)

    assert toy.check() == []


def test_calls_under_way_end_by_themselves(toy: Toy):
    toy.add(13)
    toy.begin()
    (chunk,) = toy.claim()
    size = len(chunk["asset_ids"])

    assert skip(toy) == 13 - size
    toy.complete(chunk)
    step = toy.step()
    assert (step["status"], step["succeeded"], step["skipped"]) == ("skipped", size, 13 - size)


def test_a_job_under_way_that_would_be_repeated_ends_instead(toy: Toy):
    toy.add(2)
    toy.begin()
    (chunk,) = toy.claim()
    skip(toy)
    toy.complete(chunk, "retry", fault="provider")

    assert toy.endings() == {"deferred": 2}


def test_a_lease_that_runs_out_is_not_given_again(toy: Toy):
    toy.add(2)
    toy.begin()
    (chunk,) = toy.claim()
    skip(toy)
    toy.expire(chunk)

    assert toy.claim("w2") == []
    assert toy.endings() == {"cancelled": 2}


def test_a_step_that_has_ended_is_left_as_it_is(toy: Toy):
    toy.add(3)
    toy.begin()
    toy.drain()

    with toy.unchanged():
        assert skip(toy) == 0


def test_a_skipped_step_can_be_run_after_all(toy: Toy):
    toy.add(3)
    toy.begin()
    skip(toy)

    assert toy.enqueue(p_attempt=2)["sent"] == 1
    assert toy.drain() == 3
    assert toy.step()["status"] == "succeeded"


def test_with_our_own_driver_the_chain_continues_without_it(toy: Toy):
    toy.add(2)
    toy.call("run_pipeline", p_pipeline="plain", p_run_id="r1")
    skip(toy, "quota")

    assert toy.drain() == 2  # the step plans for itself
    assert toy.step()["status"] == "succeeded"
    assert toy.execution()["status"] == "succeeded"


def test_a_step_that_failed_is_skipped_and_its_run_continues(toy: Toy):
    toy.sql("update headgate.pipeline_steps set depends_on = '{a}' where step = 'b'")
    toy.add(1)
    toy.add(2, "B")
    toy.call("run_pipeline", p_pipeline="plain", p_run_id="r1")
    toy.drain(outcome="failed")
    assert (toy.step("b")["status"], toy.execution()["status"]) == ("skipped", "failed")

    skip(toy)

    assert toy.execution()["status"] == "running"
    assert toy.drain() == 2
    assert (toy.step("a")["status"], toy.step("b")["status"]) == ("skipped", "succeeded")
    assert toy.execution()["status"] == "succeeded"


def test_a_step_of_a_cancelled_run_is_left_as_it_is(toy: Toy):
    toy.add(3)
    toy.begin()
    toy.call("cancel_execution", p_pipeline="plain", p_run_id="r1")

    with toy.unchanged(), toy.refused("HG014", "retry_failed"):
        skip(toy)


def test_unknown_names_are_refused(toy: Toy):
    toy.start()

    with toy.refused("HG003", "unknown step: 'z'"):
        skip(toy, "z")


def three(toy: Toy, **arguments: object) -> None:
    """Skip the first of three steps in a row, so that the later ones are decided."""
    graph(
        toy,
        x={"function": "badly"},
        y={"function": "well", "depends_on": ["x"]},
        z={"function": "well", "depends_on": ["y"]},
        close={"function": "well", "depends_on": ["z"], "trigger_rule": "none_failed"},
    )
    start(toy)
    toy.call("skip_step", p_pipeline="graph", p_run_id="r1", p_step="x", **arguments)
    work(toy)


@pytest.mark.parametrize("behind", [True, False])
def test_dependent_steps_are_skipped_too_on_request(toy: Toy, behind: bool):
    three(toy, p_behind=behind)

    became = "skipped" if behind else "succeeded"
    assert steps(toy) == {"x": "skipped", "y": became, "z": became, "close": "succeeded"}
    assert step(toy, "x")["skip_reason"] == ("operator_behind" if behind else "operator")
    assert status(toy) == "succeeded"


def test_the_decision_can_be_changed_afterwards(toy: Toy):
    three(toy, p_behind=True)
    toy.call("skip_step", p_pipeline="graph", p_run_id="r1", p_step="x")
    work(toy)

    assert set(steps(toy).values()) == {"skipped", "succeeded"}
    assert (steps(toy)["y"], steps(toy)["z"]) == ("succeeded", "succeeded")
    with toy.unchanged():
        toy.call("skip_step", p_pipeline="graph", p_run_id="r1", p_step="x")
