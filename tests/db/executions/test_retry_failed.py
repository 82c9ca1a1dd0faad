"""Running again what failed, was deferred or cancelled."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from tests.db.conftest import Toys
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


def test_takes_all_steps_that_have_ended(toy: Toy):
    failed(toy)

    assert retry(toy) == (15, 3)
    assert toy.drain() == 15
    assert toy.finish()["status"] == "succeeded"


def test_takes_one_step_when_it_is_named(toy: Toy):
    failed(toy)

    assert retry(toy, p_step="b") == (2, 1)
    assert toy.step()["failed"] == 13


def test_nothing_failed_nothing_done(toy: Toy):
    toy.add(3)
    toy.begin()
    toy.drain()

    with toy.unchanged():
        assert retry(toy) == (0, 0)


def test_twice_is_once(toy: Toy):
    failed(toy)
    retry(toy)

    with toy.unchanged():
        assert retry(toy) == (0, 0)


def test_deferred_and_cancelled_jobs_are_taken_too(toy: Toy):
    toy.add(10)
    toy.add(2, "B")
    toy.begin()
    (chunk,) = toy.claim()
    toy.complete(chunk, "deferred", chunk["asset_ids"][:4], blame="quota")
    toy.complete(chunk, "success", chunk["asset_ids"][4:])
    toy.call("skip_step", p_pipeline="plain", p_run_id="r1", p_step="b")

    assert retry(toy) == (6, 2)
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
    assert row == {"planned": 1, "sent": 1}
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

    toy.call("retry_failed", p_pipeline="plain", p_run_id="r1")

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


def test_what_is_unknown_or_cancelled_is_refused(toy: Toy):
    failed(toy)
    with toy.refused("HG003"):
        retry(toy, p_step="z")
    with toy.refused("HG002"):
        retry(toy, "aside")
    toy.call("cancel_execution", p_pipeline="plain", p_run_id="r1")
    with toy.unchanged(), toy.refused("HG014", "cancelled"):
        retry(toy)


def test_a_task_that_is_cleared_afterwards_opens_a_round_of_its_own(toy: Toy):
    failed(toy)
    retry(toy)
    toy.drain(outcome="failed")

    (row,) = toy.call("enqueue_step", p_pipeline="plain", p_run_id="r1", p_step="a", p_attempt=2)
    assert (row["status"], row["planned"]) == ("running", 13)


@pytest.mark.parametrize("how", ["retry_failed", "enqueue_step"])
def test_who_waits_for_a_cancellation_opens_no_round(toys: Toys, how: str):
    """The execution was running when it was looked up, and is cancelled by the time it may plan."""
    one, two = toys.another(autocommit=False), toys.another()
    failed(toys.one, 4)
    one.call("cancel_execution", p_pipeline="plain", p_run_id="r1")
    again = partial(retry, two) if how == "retry_failed" else partial(two.enqueue, p_attempt=2)

    with meanwhile(again, two, toys.one) as answers:
        assert waits(two, toys.one, answers), "it waits for the cancellation"
        one.connection.commit()
    assert [x.sqlstate for x in answers] == ["HG014"]
    assert toys.one.chunks() == []
