"""Steps that are retried automatically, after a delay, as new rounds."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.adopt import adopt
from tests.db.conftest import Toys
from tests.db.executions.graph import graph, mark, retry, start, status, step, steps, work
from tests.db.together import at_once, close
from tests.db.toy import Toy

KINDS: dict[str, dict[str, Any]] = {
    "function": {"function": "badly"},
    "fan_out": {"operations": ["look"], "group_keys": ["A"]},
}
WELL = """
create or replace function toy.badly(p_pipeline text, p_run_id text) returns jsonb language sql
as 'select ''{}''::jsonb'
"""


def chain(toy: Toy, kind: str, **more: Any) -> None:
    """Start a step that fails, and one after it; the first is retried after 5, 10, 20, ... minutes."""
    given = {"retries": 2, "retry_backoff": 2, **KINDS[kind], **more}
    graph(toy, x=given, y={"function": "well", "depends_on": ["x"]})
    toy.add(2)
    start(toy)


def works(toy: Toy) -> None:
    """Work off everything, failing x."""
    work(toy, "x")


def repair_function(toy: Toy) -> None:
    """Make the function succeed from now on."""
    toy.sql(WELL)
    adopt(toy.connection, "toy")


@pytest.mark.parametrize("kind", KINDS)
def test_a_failed_step_waits_for_its_retry_and_the_steps_after_it_wait_too(toy: Toy, kind: str):
    chain(toy, kind)
    works(toy)

    row = step(toy, "x")
    assert (row["status"], row["round"], row["retried"], row["finished_at"]) == (
        "pending",
        1,
        1,
        None,
    )
    assert row["retry_at"] == toy.now + timedelta(minutes=5)
    assert (steps(toy)["y"], status(toy)) == ("pending", "running")
    with toy.unchanged():
        works(toy)


@pytest.mark.parametrize("kind", KINDS)
def test_each_retry_is_a_round_later_by_the_backoff_and_the_last_one_decides(toy: Toy, kind: str):
    chain(toy, kind)
    works(toy)
    for number, minutes in enumerate((5, 10), start=2):
        toy.later(minutes=minutes, seconds=-1)
        with toy.unchanged():
            works(toy)
        toy.later(seconds=1)
        works(toy)
        assert step(toy, "x")["round"] == number

    assert (steps(toy), status(toy)) == ({"x": "failed", "y": "skipped"}, "failed")
    assert (step(toy, "x")["retried"], step(toy, "x")["retry_at"]) == (2, None)


@pytest.mark.parametrize("kind", KINDS)
def test_a_successful_retry_lets_the_run_continue(toy: Toy, kind: str):
    chain(toy, kind)
    works(toy)
    repair_function(toy)
    toy.later(minutes=5)
    work(toy)

    assert (steps(toy), status(toy)) == ({"x": "succeeded", "y": "succeeded"}, "succeeded")
    assert step(toy, "x")["retried"] == 1


def test_only_what_did_not_succeed_runs_again(toy: Toy):
    chain(toy, "fan_out")
    (chunk,) = toy.claim()
    toy.complete(chunk, "failed", chunk["asset_ids"][:1])
    toy.complete(chunk, "success", chunk["asset_ids"][1:])
    assert step(toy, "x")["retry_at"] is not None
    toy.later(minutes=5)

    assert work(toy) == ["x"]
    assert [(x["round"], x["status"]) for x in toy.details()] == [
        (1, "failed"), (2, "success"), (1, "success"),
    ]  # fmt: skip


def test_pairs_that_are_left_out_after_failures_stay_so_in_a_retry(toy: Toy):
    (left_out,) = toy.add(1, first=7)
    for n in range(5):
        toy.begin(run=f"f{n}")
        toy.drain(outcome="failed")
        toy.finish(f"f{n}")
    chain(toy, "fan_out")
    works(toy)
    toy.later(minutes=5)
    work(toy)

    assert left_out not in [x["asset_id"] for x in toy.details() if x["run_id"] == "r1"]
    assert status(toy) == "succeeded"


def test_a_step_of_which_everything_is_left_out_is_not_tried_again(toy: Toy):
    toy.add(1)
    for n in range(5):
        toy.begin(run=f"f{n}")
        toy.drain(outcome="failed")
        toy.finish(f"f{n}")
    graph(toy, x={"operations": ["look"], "retries": 3})
    start(toy)
    works(toy)

    assert (steps(toy)["x"], status(toy)) == ("failed", "failed")


def test_a_retry_that_cannot_be_afforded_counts_and_the_step_fails_in_the_end(toy: Toy):
    chain(toy, "fan_out")
    works(toy)
    toy.provider(quota=2)
    toy.later(minutes=5)
    works(toy)
    assert (step(toy, "x")["retried"], step(toy, "x")["status"]) == (2, "pending")
    toy.later(minutes=10)
    works(toy)

    assert (steps(toy)["x"], status(toy)) == ("failed", "failed")
    assert toy.endings() == {"failed": 2}


def test_a_fan_out_that_could_not_be_planned_is_planned_again(toy: Toy):
    graph(toy, fetch={"operations": ["look"], "retries": 1})
    toy.add(2)
    toy.sql("alter table headgate.chunks add constraint nothing_fits check (false) not valid")
    start(toy)
    work(toy)
    assert step(toy, "fetch")["output"]["code"] == "23514"
    assert step(toy, "fetch")["retry_at"] is not None
    toy.sql("alter table headgate.chunks drop constraint nothing_fits")
    toy.later(minutes=5)

    assert work(toy) == ["fetch"]
    assert (step(toy, "fetch")["output"], status(toy)) == (None, "succeeded")


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_that_waits_for_its_retry_is_listed_and_a_runner_learns_when(toy: Toy, kind: str):
    chain(toy, kind)
    works(toy)

    (row,) = toy.sql("select * from headgate.v_waiting where run_id = 'r1'")
    assert (row["step"], row["operation"], row["next_try_at"]) == (
        "x",
        None,
        toy.now + timedelta(minutes=5),
    )
    assert row["reason"].startswith("the step has failed and is run again: retry 1 of 2")
    assert row["jobs"] == (1 if kind == "function" else 2)
    assert toy.ask()[0]["wake_at"] == toy.now + timedelta(minutes=5)


@pytest.mark.parametrize("kind", KINDS)
def test_no_delay_is_longer_than_30_days(toy: Toy, kind: str):
    chain(toy, kind, retries=3, retry_delay="20 days", retry_backoff=10)
    works(toy)
    assert step(toy, "x")["retry_at"] == toy.now + timedelta(days=20)
    toy.later(days=20)
    works(toy)

    assert step(toy, "x")["retry_at"] == toy.now + timedelta(days=30)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["cancelled", "finalized", "failed", "succeeded", "skipped"])
def test_an_operator_ends_the_wait(toy: Toy, kind: str, how: str):
    chain(toy, kind)
    works(toy)
    if how == "cancelled":
        toy.call("cancel_execution", p_pipeline="graph", p_run_id="r1")
    elif how == "finalized":
        assert toy.finish(pipeline="graph")["status"] == "failed"
    else:
        mark(toy, "x", how)
    assert step(toy, "x")["retry_at"] is None
    toy.later(days=1)
    works(toy)

    assert steps(toy)["x"] == {"finalized": "failed"}.get(how, how)


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_that_an_operator_runs_again_has_all_its_retries(toy: Toy, kind: str):
    chain(toy, kind, retries=1, retry_delay="0")
    works(toy)
    assert (steps(toy)["x"], step(toy, "x")["retried"]) == ("failed", 1)

    retry(toy)
    assert step(toy, "x")["retried"] == 0
    works(toy)
    assert (steps(toy)["x"], step(toy, "x")["retried"], step(toy, "x")["round"]) == ("failed", 1, 4)


def test_a_paused_pipeline_retries_when_it_is_resumed(toy: Toy):
    chain(toy, "function")
    works(toy)
    toy.call("pause_pipeline", p_pipeline="graph")
    toy.later(minutes=5)
    with toy.unchanged():
        works(toy)

    toy.call("resume_pipeline", p_pipeline="graph")
    works(toy)
    assert step(toy, "x")["round"] == 2


def test_airflow_s_retries_are_airflow_s(toy: Toy):
    graph(toy, x={"operations": ["look"], "retries": 3, "timeout": "1 minute"})
    toy.add(1)
    start(toy, driver="airflow")
    toy.enqueue("x", pipeline="graph")
    work(toy, "x")

    assert (step(toy, "x")["status"], step(toy, "x")["retry_at"]) == ("failed", None)


def test_steps_whose_rule_did_not_wait_are_not_run_again_by_a_retry(toy: Toy):
    graph(
        toy,
        w={"function": "well"},
        x={"operations": ["look"], "retries": 1},
        y={"function": "well", "depends_on": ["w", "x"], "trigger_rule": "one_success"},
    )
    toy.add(1)
    start(toy)
    works(toy)
    toy.later(minutes=5)
    work(toy)

    assert (step(toy, "y")["round"], status(toy)) == (1, "succeeded")


@pytest.mark.parametrize("kind", KINDS)
def test_two_runners_at_once_open_one_round(toys: Toys, kind: str):
    one, two = toys.one, toys.another()
    chain(one, kind)
    works(one)
    one.later(minutes=5)
    two.at(one.now)

    at_once(lambda: one.value("advance_executions"), lambda: two.value("advance_executions"))
    one.advance()
    assert step(one, "x")["round"] == 2
    work(one)


@pytest.mark.parametrize("kind", KINDS)
def test_a_runner_killed_while_it_opens_the_round_has_changed_nothing(toys: Toys, kind: str):
    one, killed = toys.one, toys.another(autocommit=False)
    chain(one, kind)
    works(one)
    one.later(minutes=5)
    killed.at(one.now)
    with one.unchanged():
        assert killed.value("advance_executions")
        close(killed, one)

    works(one)
    assert step(one, "x")["round"] == 2


@pytest.mark.parametrize("kind", KINDS)
def test_retry_failed_does_not_wait(toy: Toy, kind: str):
    chain(toy, kind)
    works(toy)

    assert retry(toy) == {"planned": 0, "sent": 0, "reopened": 1}
    works(toy)
    assert step(toy, "x")["round"] == 2
