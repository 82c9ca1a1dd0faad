"""A forecast is the planner itself on a moving clock, and changes nothing."""

from __future__ import annotations

from typing import Any

from tests.db.toy import Toy


def forecast(toy: Toy, days: int = 3, pipeline: str = "plain", **arguments: Any) -> list[Any]:
    """Return (units, new, updated, deferred, backlog) of each day."""
    rows = toy.call("forecast", p_pipeline=pipeline, p_days=days, **arguments)
    assert [x["day"] for x in rows] == list(range(1, days + 1))
    return [tuple(x.values())[1:6] for x in rows]


def test_work_due_every_day_is_done_every_day(toy: Toy):
    toy.add(3)

    assert forecast(toy) == [(3, 3, 0, 0, 0), (3, 0, 3, 0, 0), (3, 0, 3, 0, 0)]


def test_work_beyond_the_budget_waits_for_the_next_day(toy: Toy):
    toy.add(5, "W", "books")

    assert forecast(toy, 2, "library", p_quota=33) == [(33, 3, 0, 2, 5), (25, 2, 6, 0, 5)]


def test_asking_changes_nothing(toy: Toy):
    toy.add(5, "W", "books")
    toy.begin("west", pipeline="library", quota=22)

    with toy.unchanged():
        forecast(toy, 5, "library")


def test_work_in_flight_counts_as_done(toy: Toy):
    toy.add(3)
    toy.begin()

    assert forecast(toy, 2) == [(0, 0, 0, 0, 0), (3, 0, 3, 0, 0)]


def test_a_window_of_several_days_is_spent_but_once(toy: Toy):
    toy.sql("update headgate.providers set quota_period = 'month', quota = 8 where name = 'shop'")
    toy.add(3)

    assert [x[0] for x in forecast(toy, 4)] == [3, 3, 2, 0]


def test_wrong_questions_are_refused(toy: Toy):
    with toy.refused("HG001", "unknown pipeline: 'x'"):
        forecast(toy, 1, "x")
    with toy.refused("HG008", "days must be between 1 and 3660, got 0"):
        forecast(toy, 0)
    with toy.refused("HG004", "pipeline plain has no operation 'fly'", "look"):
        forecast(toy, 1, p_params={"operations": ["fly"]})
    with toy.refused("HG008", "invalid what-if parameter"):
        forecast(toy, 1, p_params={"calendar": "lunar"})


def pooled(toy: Toy, slots: int) -> None:
    """Let the jobs of an operation take slots of a pool."""
    toy.sql("insert into headgate.pools (name, slots) values ('tills', %(n)s)", n=slots)
    toy.tune(pool="tills")


def in_pool(toy: Toy, days: int = 2) -> list[Any]:
    """Return the pool that is busy longest on each day, and for how many seconds."""
    rows = toy.call("forecast", p_pipeline="plain", p_days=days)
    return [(x["pool"], x["pool_time"] and x["pool_time"].total_seconds()) for x in rows]


def test_the_pool_that_a_day_s_work_keeps_busy_is_named_with_its_time(toy: Toy):
    pooled(toy, slots=2)
    toy.add(3)
    assert in_pool(toy) == [("tills", None)] * 2  # no job has ended yet

    toy.begin()
    assert toy.drain() == 3
    toy.sql("update headgate.asset_processing_details set duration_ms = 40000")
    toy.later(days=1)
    toy.add(1, first=3)

    assert in_pool(toy) == [("tills", 80)] * 2  # 4 jobs of 40 s through 2 slots
    toy.sql("update headgate.pools set slots = 1")
    assert in_pool(toy, 1) == [("tills", 160)]


def test_a_pipeline_without_pools_names_none(toy: Toy):
    toy.add(3)

    assert in_pool(toy) == [(None, None)] * 2
