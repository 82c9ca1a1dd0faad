"""How a step ends, by its jobs' results and whose fault they are (max_failed_share: 5 %)."""

from __future__ import annotations

import pytest

from tests.db.toy import Toy

ENDS = {
    "two of forty failed": ([("failed", "item", 2)], "succeeded"),
    "three of forty failed": ([("failed", "item", 3)], "failed"),
    "two of forty deferred by an internal fault": ([("deferred", "internal", 2)], "succeeded"),
    "three of forty deferred by an internal fault": ([("deferred", "internal", 3)], "failed"),
    "one failed and two by an internal fault": (
        [("failed", "item", 1), ("deferred", "internal", 2)],
        "failed",
    ),
    "three of forty deferred by the provider": ([("deferred", "provider", 3)], "succeeded"),
    "all but one deferred by the provider": ([("deferred", "provider", 39)], "succeeded"),
    "all deferred by the provider": ([("deferred", "provider", 40)], "failed"),
    "all but one deferred for quota": ([("deferred", "quota", 39)], "succeeded"),
    "all deferred for quota": ([("deferred", "quota", 40)], "succeeded"),
    "none done: quota, and one by the provider": (
        [("deferred", "quota", 39), ("deferred", "provider", 1)],
        "failed",
    ),
    "all skipped": ([("skipped", "item", 40)], "succeeded"),
    "all skipped but two that failed": (
        [("skipped", "item", 38), ("failed", "item", 2)],
        "succeeded",
    ),
    "all skipped but three that failed": (
        [("skipped", "item", 37), ("failed", "item", 3)],
        "failed",
    ),
    "all skipped but one by an internal fault": (
        [("skipped", "item", 39), ("deferred", "internal", 1)],
        "failed",
    ),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_step_has_ended_as_its_jobs_have(toy: Toy, end: str):
    outcomes, status = ENDS[end]
    toy.tune(chunk_size=100)
    toy.provider(requests_per_minute=1000)
    left = toy.add(40)
    toy.begin()
    (chunk,) = toy.claim()
    for outcome, fault, count in outcomes:
        toy.complete(chunk, outcome, left[:count], fault=fault)
        left = left[count:]
    if left:
        toy.complete(chunk, "success", left)

    assert toy.step()["status"] == status
    assert toy.finish()["status"] == status


def test_a_later_round_takes_back_what_an_internal_fault_had_put_off(toy: Toy):
    toy.add(4)
    toy.begin()
    toy.complete(toy.claim()[0], "deferred", fault="internal")
    assert toy.step()["status"] == "failed"

    toy.enqueue(p_attempt=2)
    toy.drain()
    assert toy.step()["status"] == "succeeded"
    counts = toy.sql(
        "select deferred_by_fault as faults, deferred_by_internal_fault as internal"
        " from headgate.process_steps where step = 'a'"
    )
    assert counts == [{"faults": 0, "internal": 0}]
