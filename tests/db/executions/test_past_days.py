"""Runs for past days: each does that day's work, and what is due today stays due."""

from __future__ import annotations

from typing import Any

import pytest

from tests.db.toy import Toy

PAST = ["2024-02-01", "2024-02-02"]


@pytest.fixture
def dated(toy: Toy) -> Toy:
    """Make the requests contain the date; three assets were done today."""
    toy.tune("look", query={"day": "{run.date}"})
    toy.add(3)
    toy.begin()
    assert toy.drain() == 3
    toy.finish()
    toy.later(minutes=1)
    return toy


def run(toy: Toy, day: str, name: str = "", **how: Any) -> int:
    """Run for a past day; return the number of its jobs."""
    name = name or f"for {day}"
    toy.start(name, p_logical_date=day, p_is_backfill=True)
    (delta,) = toy.call("discover_delta", p_pipeline="plain", p_run_id=name) or [{"due": 0}]
    toy.check(name)
    toy.enqueue(run=name)
    jobs = toy.drain(**how)
    assert delta["due"] == jobs
    toy.finish(name)
    return jobs


def test_each_day_s_work_is_done_although_nothing_is_due_today(dated: Toy):
    assert [run(dated, day) for day in PAST] == [3, 3]


def test_the_same_day_is_not_done_twice_and_another_pair_joins_in(dated: Toy):
    assert run(dated, PAST[0]) == 3
    assert run(dated, PAST[0], "again") == 0

    dated.add(4)
    assert run(dated, PAST[0], "once more") == 1


def test_failed_jobs_are_done_by_the_next_run_for_that_day(dated: Toy):
    assert run(dated, PAST[0], outcome="failed") == 3

    assert run(dated, PAST[1], "another day") == 3
    assert run(dated, PAST[0], "again") == 3


def test_a_run_for_a_past_day_changes_neither_todays_due_work_nor_the_watermark(dated: Toy):
    ids = [x["asset_id"] for x in dated.details()]
    dated.later(days=8)
    before = [dated.state(x) for x in ids]
    assert all(x["next_due_at"] < dated.now for x in before)
    run(dated, PAST[0], says={"watermark": "2024-02-01T00:00:00Z"})
    run(dated, PAST[1], outcome="failed")

    assert [dated.state(x) for x in ids] == before
    dated.begin(run="today")
    assert dated.drain() == 3


def test_operations_that_compute_from_a_past_day_become_due(toy: Toy):
    toy.tune("history", query={"day": "{run.date}"})
    (book,) = toy.add(1, "W", "books")
    toy.begin("west", pipeline="library")
    toy.drain()
    toy.finish(pipeline="library")
    toy.later(minutes=1)
    toy.start("past", "library", p_logical_date=PAST[0], p_is_backfill=True)
    toy.check("past", "library")
    toy.enqueue("west", "past", "library")
    toy.drain()

    done = [x["operation"] for x in toy.details(book) if x["run_id"] == "past"]
    assert done == ["history", "update"]  # its requests contain no date, and it is due
    assert toy.state(book, "sum")["input_changed_at"] == toy.now
