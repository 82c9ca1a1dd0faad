"""next_actions proposes how to continue an unfinished run, and the proposed calls work."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.db.toy import NOON, Toy
from tests.plan import Row

CLOSE_EXECUTION = {"until": "execution", "reason": "the token was refused"}


def actions(toy: Toy, run: str = "r1", pipeline: str = "plain") -> list[Row]:
    """Return the proposed actions."""
    return toy.call("next_actions", p_pipeline=pipeline, p_run_id=run)


def only(toy: Toy, **names: Any) -> Row:
    """Return the only proposed action."""
    (row,) = actions(toy, **names)
    return row


@pytest.fixture
def shop(toy: Toy) -> Toy:
    """Start a run of six jobs, in chunks of ten at most."""
    toy.add(6)
    toy.begin()
    return toy


def test_a_run_that_is_wholly_done_needs_nothing(shop: Toy):
    shop.drain()
    shop.finish()

    assert actions(shop) == []


def test_failed_jobs_are_retried_and_the_action_names_the_error(shop: Toy):
    for chunk in shop.claim(chunks=9):
        shop.complete(chunk, "failed")
    shop.finish()

    row = only(shop)
    assert (row["action"], row["found"]) == ("retry", "6 jobs failed (it went wrong)")
    assert shop.sql(row["statement"])[0]["planned"] == 6


def test_cancelled_jobs_are_retried(shop: Toy):
    shop.call("cancel_execution", p_pipeline="plain", p_run_id="r1")

    row = only(shop)
    assert (row["action"], row["found"]) == ("retry", "6 jobs cancelled")
    assert "retry_failed" in row["statement"]


def test_jobs_deferred_by_the_provider_are_retried_once_it_is_unblocked(shop: Toy):
    until = NOON + timedelta(hours=1)
    (chunk,) = shop.claim()
    shop.complete(chunk, "deferred", fault="provider")
    shop.finish()
    shop.provider(blocked_until=str(until))

    row = only(shop)
    assert row["not_before"] == until
    assert "deferred by the provider (it went wrong)" in row["found"]


def test_our_own_fault_comes_last_and_is_to_be_corrected_first(shop: Toy):
    first, *others = shop.claim(chunks=9)
    shop.complete(first, "failed", first["asset_ids"][:1])
    shop.complete(
        first, "deferred", first["asset_ids"][1:], fault="internal", block=CLOSE_EXECUTION
    )
    for other in others:
        shop.complete(other, "unsent", block=CLOSE_EXECUTION)
    shop.finish()

    row = only(shop)
    assert row["found"].startswith("1 job failed (it went wrong), 5 jobs deferred by an internal ")
    assert row["advice"] == "correct that first"


def test_a_job_that_succeeded_in_a_later_round_is_left_undone_no_more(shop: Toy):
    for chunk in shop.claim(chunks=9):
        shop.complete(chunk, "failed")
    shop.finish()
    shop.call("retry_failed", p_pipeline="plain", p_run_id="r1")
    shop.drain()
    shop.finish()

    assert actions(shop) == []


def test_a_step_that_raised_says_what(shop: Toy):
    shop.sql(
        "update headgate.process_steps set status = 'failed', finished_at = headgate.clock(),"
        " output = '{\"error\": \"it is broken\"}' where step = 'quota'"
    )
    shop.drain()
    shop.finish()

    assert only(shop)["found"] == "step quota failed: it is broken"


@pytest.mark.parametrize(
    ("params", "found", "wait"),
    [
        ({"quota": 11}, "quota exhausted before this asset's rank", timedelta(hours=12)),
        ({"max_new": 1}, "the run's asset limit is reached", None),
    ],
    ids=["quota", "max_assets"],
)
def test_work_left_out_of_the_plan_is_for_the_next_run(
    toy: Toy, params: dict[str, Any], found: str, wait: timedelta | None
):
    toy.add(3, "W", "books")
    toy.begin("west", run="r1", pipeline="library", **params)
    toy.drain()
    toy.finish("r1", "library")

    row = only(toy, pipeline="library")
    assert (row["action"], row["found"]) == ("run", f"4 jobs are due and were not run: {found}")
    assert row["not_before"] == (NOON + wait if wait else None)
    assert ("quota" in (row["advice"] or "")) == bool(wait)
    assert toy.sql(row["statement"])[0]["order_id"]


def test_pairs_left_out_after_failures_are_reset(shop: Toy):
    shop.drain()
    shop.finish()
    (asset,) = shop.add(1, first=9)
    shop.sql(
        "insert into headgate.planner_deferrals"
        " (execution_id, operation_id, group_key, reason, asset_ids, units, deferred_at)"
        " select e.execution_id, o.operation_id, 'A', 'failures', array[%(asset)s], 1, e.started_at"
        " from headgate.process_executions as e, headgate.operations as o where o.name = 'look'",
        asset=asset,
    )
    shop.sql(
        "update headgate.asset_processing_state set consecutive_failures = 5, next_due_at = null"
        " where asset_id = %(asset)s",
        asset=asset,
    )

    row = only(shop)
    assert row["action"] == "reset"
    assert len(shop.sql(row["statement"])) == 1
    assert shop.state(asset)["next_due_at"] == NOON


def test_jobs_that_run_out_of_units_are_for_the_next_window(shop: Toy):
    (chunk,) = shop.claim()
    shop.complete(chunk, "deferred", fault="quota", block={"until": "reset"})
    shop.drain()
    shop.finish()

    found = {x["action"]: x for x in actions(shop)}
    assert found["run"]["not_before"] == shop.window_closes()
    assert "quota exhausted while it ran" in found["run"]["found"]


def test_a_deferral_that_is_tried_again_in_vain_is_reported_once(shop: Toy):
    for chunk in shop.claim(chunks=9):
        shop.complete(chunk, "deferred", fault="provider")
    shop.finish()
    shop.provider(blocked_until=str(NOON + timedelta(hours=1)))
    shop.call("retry_failed", p_pipeline="plain", p_run_id="r1")

    assert [x["action"] for x in actions(shop)] == ["retry"]


def test_a_paused_run_is_resumed(shop: Toy):
    shop.call("pause_pipeline", p_pipeline="plain")

    row = only(shop)
    assert (row["action"], row["found"]) == ("resume", "the pipeline is paused")
    assert shop.sql(row["statement"])[0]["resumed_executions"] == 1


def test_a_run_without_a_runner_needs_one(shop: Toy):
    row = only(shop)

    assert (row["action"], row["found"]) == ("work", "6 jobs wait: no runner is connected")


def test_a_run_that_waits_says_until_when(shop: Toy):
    for chunk in shop.claim(chunks=9):
        shop.complete(chunk, "retry", fault="provider")

    row = actions(shop)[0]
    assert (row["action"], row["statement"]) == ("wait", None)
    assert row["not_before"] > NOON
    assert row["advice"] == "it is left to the next run at 2024-03-05 12:15:00"


def test_a_reader_may_ask(shop: Toy):
    shop.sql("set local role headgate_reader")

    assert only(shop)["action"] == "work"
    shop.sql("reset role")


def test_an_unknown_run_is_refused(toy: Toy):
    with toy.refused("HG002"):
        actions(toy, "never")
