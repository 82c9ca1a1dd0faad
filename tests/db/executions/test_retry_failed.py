"""Retrying failed, deferred and cancelled jobs."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from tests.adopt import adopt
from tests.db.conftest import Toys
from tests.db.executions import graph as g
from tests.db.together import meanwhile, waits
from tests.db.toy import Toy


def retry(toy: Toy, pipeline: str = "plain", **arguments: Any) -> tuple[int, int]:
    """Retry r1; return the jobs planned and the chunks sent."""
    row = toy.row("retry_failed", p_pipeline=pipeline, p_run_id="r1", **arguments)
    return row["planned"], row["sent"]


def failed(toy: Toy, count: int = 13) -> None:
    """Let steps a and b end with failures."""
    toy.add(count)
    toy.add(2, "B")
    toy.begin("a", "b")
    toy.drain(outcome="failed")


def test_a_retry_takes_all_steps_that_have_ended(toy: Toy):
    failed(toy)

    assert retry(toy) == (15, 3)
    assert toy.drain() == 15
    assert toy.finish()["status"] == "succeeded"


def test_a_retry_takes_one_step_when_it_is_named(toy: Toy):
    failed(toy)

    assert retry(toy, p_step="b") == (2, 1)
    assert toy.step()["failed"] == 13


def test_without_failures_nothing_is_done(toy: Toy):
    toy.add(3)
    toy.begin()
    toy.drain()

    with toy.unchanged():
        assert retry(toy) == (0, 0)


def test_a_second_call_changes_nothing(toy: Toy):
    failed(toy)
    retry(toy)

    with toy.unchanged():
        assert retry(toy) == (0, 0)


def test_deferred_and_cancelled_jobs_are_taken_too(toy: Toy):
    toy.add(10)
    toy.add(2, "B")
    toy.begin()
    (chunk,) = toy.claim()
    toy.complete(chunk, "deferred", chunk["asset_ids"][:4], fault="quota")
    toy.complete(chunk, "success", chunk["asset_ids"][4:])
    toy.call("skip_step", p_pipeline="plain", p_run_id="r1", p_step="b")

    assert retry(toy) == (4, 1)
    assert (
        toy.step("b")["status"] == "skipped"
    )  # an operator's decision stays until that operator names the step
    assert retry(toy, p_step="b") == (2, 1)
    step = toy.step("b")
    assert (step["status"], step["skipped"], step["queued"]) == ("running", 0, 2)


def test_each_round_has_its_own_details_row_and_the_counters_speak_of_the_last(toy: Toy):
    (asset,) = toy.add(1)
    toy.begin()
    for _ in range(3):
        toy.drain(outcome="failed")
        retry(toy)
    toy.drain()

    assert [(x["round"], x["status"]) for x in toy.details(asset)] == [
        (1, "failed"), (2, "failed"), (3, "failed"), (4, "success"),
    ]  # fmt: skip
    step = toy.step()
    assert (step["planned"], step["succeeded"], step["failed"]) == (1, 1, 0)
    assert toy.units() == (0, 4)


def test_a_pair_left_out_after_five_failures_is_taken_all_the_same(toy: Toy):
    (asset,) = toy.add(1)
    for n in range(1, 6):
        toy.begin(run=f"r{n}")
        toy.drain(outcome="failed")
        toy.finish(f"r{n}")

    row = toy.row("retry_failed", p_pipeline="plain", p_run_id="r5")
    assert (row["planned"], row["sent"]) == (1, 1)
    toy.drain()
    assert toy.state(asset)["next_due_at"] > toy.now


def test_a_round_counts_nothing_of_what_the_round_before_it_still_has_out(toy: Toy):
    toy.tune(chunk_size=2)
    toy.add(4)
    toy.begin()
    for chunk in toy.claim(chunks=2):
        toy.complete(chunk, "failed")
    toy.enqueue(p_attempt=2)
    (out,) = toy.claim(chunks=1)
    toy.call("skip_step", p_pipeline="plain", p_run_id="r1", p_step="a")

    toy.call("retry_failed", p_pipeline="plain", p_run_id="r1", p_step="a")

    assert toy.step()["failed"] == 0
    toy.complete(out)
    toy.drain()
    assert (toy.step()["succeeded"], toy.step()["status"]) == (4, "succeeded")


def test_a_round_is_within_what_may_be_spent_now(toy: Toy):
    toy.provider(quota=20)
    failed(toy)

    assert retry(toy) == (5, 1)


def test_with_our_own_driver_the_end_is_run_again(toy: Toy):
    toy.add(3)
    toy.call("run_pipeline", p_pipeline="plain", p_run_id="r1")
    toy.drain(outcome="failed")
    assert toy.execution()["status"] == "failed"

    assert retry(toy) == (3, 1)
    toy.drain()
    assert toy.execution()["status"] == "succeeded"


def test_a_run_that_has_been_retried_can_be_retried_again(toy: Toy):
    toy.add(3)
    toy.call("run_pipeline", p_pipeline="plain", p_run_id="r1")
    for _ in range(2):
        toy.drain(outcome="failed")
        assert toy.execution()["status"] == "failed"
        assert retry(toy) == (3, 1)


def test_unknown_names_are_refused(toy: Toy):
    failed(toy)
    with toy.refused("HG003"):
        retry(toy, p_step="z")
    with toy.refused("HG002"):
        retry(toy, "aside")


def test_a_task_that_is_cleared_afterwards_opens_a_round_of_its_own(toy: Toy):
    failed(toy)
    retry(toy)
    toy.drain(outcome="failed")

    (row,) = toy.call("enqueue_step", p_pipeline="plain", p_run_id="r1", p_step="a", p_attempt=2)
    assert (row["status"], row["planned"]) == ("running", 13)


@pytest.mark.parametrize("how", ["retry_failed", "enqueue_step"])
def test_a_retry_that_waits_for_a_cancellation_sees_it(toys: Toys, how: str):
    """The execution was running when it was looked up, but is cancelled before it may plan.

    A cleared task opens no round of it; an operator who requests it does.
    """
    one, two = toys.another(autocommit=False), toys.another()
    failed(toys.one, 4)
    one.call("cancel_execution", p_pipeline="plain", p_run_id="r1")

    again = partial(retry, two) if how == "retry_failed" else partial(two.enqueue, p_attempt=2)
    with meanwhile(again, two, toys.one) as answers:
        assert waits(two, toys.one, answers), "it waits for the cancellation"
        one.connection.commit()
    if how == "retry_failed":
        assert answers == [(6, 2)]
    else:
        assert answers[0].sqlstate == "HG014" and toys.one.chunks() == []


# ------------------------------------------------------------- steps after a failure


def chain(toy: Toy) -> None:
    """Three fan-outs in a row, a report after them, and a parallel one that may fail."""
    g.graph(
        toy,
        fetch={"operations": ["look"], "group_keys": ["A"]},
        judge={"operations": ["look"], "group_keys": ["B"], "depends_on": ["fetch"]},
        write={"operations": ["look"], "group_keys": ["C"], "depends_on": ["judge"]},
        report={"function": "well", "depends_on": ["write"], "trigger_rule": "all_done"},
    )
    for group in "ABC":
        toy.add(2, group)


def test_steps_skipped_because_of_the_failure_run_too(toy: Toy):
    chain(toy)
    g.start(toy)
    g.work(toy, "fetch")
    assert g.steps(toy) == {
        "fetch": "failed", "judge": "skipped", "write": "skipped", "report": "succeeded",
    }  # fmt: skip
    assert g.status(toy) == "failed"

    assert g.retry(toy) == {"planned": 2, "sent": 1, "reopened": 4}

    assert g.work(toy) == ["fetch", "judge", "write"]
    assert set(g.steps(toy).values()) == {"succeeded"}
    assert g.status(toy) == "succeeded"


def test_later_steps_take_work_that_has_become_due_by_then(toy: Toy):
    chain(toy)
    g.start(toy)
    g.work(toy, "fetch")
    toy.add(3, "B", first=7)
    g.retry(toy)
    g.work(toy)

    assert g.step(toy, "judge")["succeeded"] == 5


def test_behind_a_failure_of_the_new_round_a_step_is_skipped_again(toy: Toy):
    chain(toy)
    g.start(toy)
    g.work(toy, "fetch")
    g.retry(toy)

    assert g.work(toy, "fetch") == ["fetch"]
    assert g.steps(toy)["judge"] == "skipped"
    assert g.status(toy) == "failed"


def test_failures_in_a_row_run_in_their_order(toy: Toy):
    chain(toy)
    toy.sql("update headgate.pipeline_steps set trigger_rule = 'all_done' where step <> 'report'")
    g.start(toy)
    g.work(toy, "fetch", "judge", "write")

    assert g.retry(toy) == {"planned": 6, "sent": 1, "reopened": 4}
    assert g.work(toy) == ["fetch", "judge", "write"]
    assert g.status(toy) == "succeeded"


def test_steps_skipped_by_an_operator_stay_skipped(toy: Toy):
    chain(toy)
    g.start(toy)
    g.work(toy, "fetch")
    g.mark(toy, "judge", "skipped")
    g.work(toy, "write")
    assert g.steps(toy) == {
        "fetch": "failed", "judge": "skipped", "write": "failed", "report": "succeeded",
    }  # fmt: skip

    g.retry(toy)
    assert g.work(toy) == ["fetch", "write"]
    assert (g.step(toy, "judge")["skip_reason"], g.status(toy)) == ("operator", "succeeded")


def test_a_step_of_airflow_waits_until_its_task_runs_again(toy: Toy):
    chain(toy)
    g.start(toy, driver="airflow")
    toy.enqueue("fetch", pipeline="graph")
    g.work(toy, "fetch")
    assert toy.finish(pipeline="graph")["status"] == "failed"
    assert g.step(toy, "judge")["skip_reason"] == "finalized"

    # The task is cleared with its downstream tasks, which have never run.
    toy.enqueue("fetch", pipeline="graph", p_attempt=2)
    assert g.work(toy) == ["fetch"]
    assert toy.enqueue("judge", pipeline="graph")["sent"] == 1
    assert g.work(toy) == ["judge"]
    assert toy.finish(pipeline="graph")["status"] == "succeeded"


# -------------------------------------------------------------------- function steps


def test_a_function_step_that_failed_runs_again_with_the_steps_after_it(toy: Toy):
    g.graph(
        toy,
        prepare={"function": "badly"},
        fetch={"operations": ["look"], "depends_on": ["prepare"]},
        report={"function": "well", "depends_on": ["fetch"]},
    )
    toy.add(2)
    g.start(toy)
    g.work(toy)
    assert g.steps(toy) == {"prepare": "failed", "fetch": "skipped", "report": "skipped"}
    toy.sql("create or replace function toy.badly(p_pipeline text, p_run_id text) returns jsonb"
            " language sql as 'select ''{}''::jsonb'")  # fmt: skip
    adopt(toy.connection, "toy")

    assert g.retry(toy) == {"planned": 0, "sent": 0, "reopened": 3}

    assert g.work(toy) == ["fetch"]
    assert set(g.steps(toy).values()) == {"succeeded"}
    assert g.status(toy) == "succeeded"


def test_a_function_step_that_airflow_calls_is_airflow_s_to_call_again(toy: Toy):
    toy.add(2)
    toy.start()
    report = {"p_pipeline": "plain", "p_run_id": "r1", "p_step": "quota"}
    toy.call("report_step", **report, p_status="failed")
    toy.finish()
    assert retry(toy) == (0, 0)
    assert toy.execution()["status"] == "failed"

    toy.call("report_step", **report, p_status="succeeded")
    assert toy.execution()["status"] == "succeeded"
    toy.enqueue()
    assert toy.execution()["status"] == "running"
    assert toy.drain() == 2
    assert toy.finish()["status"] == "succeeded"


def test_a_fan_out_that_could_not_be_planned_is_planned_again(toy: Toy):
    g.graph(toy, fetch={"operations": ["look"]})
    toy.add(2)
    toy.sql("alter table headgate.chunks add constraint nothing_fits check (false) not valid")
    g.start(toy)
    g.work(toy)
    assert g.step(toy, "fetch")["output"]["code"] == "23514"
    toy.sql("alter table headgate.chunks drop constraint nothing_fits")

    assert g.retry(toy)["reopened"] == 1
    assert g.work(toy) == ["fetch"]
    assert g.status(toy) == "succeeded"
    assert g.step(toy, "fetch")["output"] is None


# ------------------------------------------------------------- after it was cancelled


@pytest.mark.parametrize("driver", ["headgate", "airflow"])
def test_a_cancelled_run_continues_where_it_was_stopped(toy: Toy, driver: str):
    toy.add(13)
    toy.add(2, "B")
    toy.start(p_driver=driver)
    toy.check()
    if driver == "airflow":
        report = {"p_pipeline": "plain", "p_run_id": "r1", "p_step": "quota"}
        toy.call("report_step", **report, p_status="succeeded")
        toy.enqueue()
        toy.enqueue("b")
    (chunk,) = toy.claim()
    jobs = len(chunk["asset_ids"])
    toy.call("cancel_execution", p_pipeline="plain", p_run_id="r1")

    assert retry(toy)[0] == 15 - jobs
    assert toy.execution()["status"] == "running"
    toy.complete(chunk)
    toy.drain()
    if driver == "airflow":
        toy.finish()
    status = toy.execution()
    assert (status["status"], status["planned"], status["succeeded"]) == ("succeeded", 15, 15)


def test_a_step_cancelled_before_its_plan_is_planned_then(toy: Toy):
    chain(toy)
    g.start(toy)
    toy.claim()
    toy.call("cancel_execution", p_pipeline="graph", p_run_id="r1")
    assert set(g.steps(toy).values()) == {"cancelled"}
    toy.expire(*toy.chunks("leased"))
    toy.claim("w2")

    assert g.retry(toy) == {"planned": 2, "sent": 1, "reopened": 4}
    assert g.work(toy) == ["fetch", "judge", "write"]
    assert set(g.steps(toy).values()) == {"succeeded"}
    assert g.status(toy) == "succeeded"


def test_a_cancelled_step_whose_lease_is_still_out_waits_for_it(toy: Toy):
    g.graph(toy, fetch={"operations": ["look"]})
    toy.add(2)
    g.start(toy)
    (chunk,) = toy.claim()
    toy.call("cancel_execution", p_pipeline="graph", p_run_id="r1")

    assert g.retry(toy) == {"planned": 0, "sent": 0, "reopened": 1}
    assert (g.steps(toy)["fetch"], g.status(toy)) == ("running", "running")
    toy.complete(chunk)
    toy.drain()
    assert g.status(toy) == "succeeded"


def test_jobs_beyond_the_budget_after_a_cancellation_stay_cancelled(toy: Toy):
    toy.add(13)
    toy.add(2, "B")
    toy.begin("a", "b")
    report = {"p_pipeline": "plain", "p_run_id": "r1", "p_step": "quota"}
    toy.call("report_step", **report, p_status="succeeded")
    toy.call("cancel_execution", p_pipeline="plain", p_run_id="r1")
    toy.provider(quota=0)
    with toy.refused("HG014", "retry_failed"):
        toy.enqueue(p_attempt=2)

    assert retry(toy) == (0, 0)
    assert (toy.step()["status"], toy.step("b")["status"]) == ("cancelled", "cancelled")
    assert toy.finish()["status"] == "cancelled"


def test_functions_that_had_not_run_when_it_was_cancelled_run_and_those_that_had_do_not(toy: Toy):
    g.graph(
        toy,
        first={"function": "well"},
        second={"function": "well", "depends_on": ["first"]},
        third={"function": "well", "depends_on": ["second"]},
    )
    g.start(toy)
    assert toy.value("advance_executions")
    toy.call("cancel_execution", p_pipeline="graph", p_run_id="r1")
    assert g.steps(toy) == {"first": "succeeded", "second": "cancelled", "third": "cancelled"}
    toy.later(minutes=1)

    assert g.retry(toy) == {"planned": 0, "sent": 0, "reopened": 2}
    g.work(toy)
    assert set(g.steps(toy).values()) == {"succeeded"}
    assert (g.status(toy), g.step(toy, "first")["round"]) == ("succeeded", 1)
    assert g.step(toy, "first")["finished_at"] < toy.now == g.step(toy, "second")["finished_at"]


def test_steps_skipped_after_a_failure_evaluate_their_condition_then(toy: Toy):
    g.graph(
        toy,
        try_it={"function": "badly"},
        if_so={"operations": ["look"], "depends_on": ["try_it"], "condition": "$.steps.try_it.output.go == true"},
        if_not={"function": "well", "depends_on": ["try_it"], "condition": "$.steps.try_it.output.go == false"},
        report={"function": "well", "depends_on": ["if_so", "if_not"], "trigger_rule": "none_failed"},
    )  # fmt: skip
    toy.add(2)
    g.start(toy)
    g.work(toy)
    assert [x for x, y in g.steps(toy).items() if y == "skipped"] == ["if_so", "if_not", "report"]
    toy.sql("create or replace function toy.badly(p_pipeline text, p_run_id text) returns jsonb"
            " language sql as 'select ''{\"go\": true}''::jsonb'")  # fmt: skip
    adopt(toy.connection, "toy")

    assert g.retry(toy)["reopened"] == 4
    assert g.work(toy) == ["if_so"]
    assert (g.steps(toy)["if_not"], g.step(toy, "if_not")["skip_reason"]) == (
        "skipped",
        "condition",
    )
    assert (g.steps(toy)["report"], g.status(toy)) == ("succeeded", "succeeded")


def test_a_run_that_was_cancelled_can_be_cancelled_and_retried_again(toy: Toy):
    g.graph(toy, only={"function": "well"}, then={"function": "well", "depends_on": ["only"]})
    g.start(toy)
    for _ in range(2):
        toy.call("cancel_execution", p_pipeline="graph", p_run_id="r1")
        assert g.status(toy) == "cancelled"
        assert g.retry(toy)["reopened"] == 2
        assert g.status(toy) == "running"
    g.work(toy)

    assert g.status(toy) == "succeeded"
    with toy.unchanged():
        assert g.retry(toy) == {"planned": 0, "sent": 0, "reopened": 0}
