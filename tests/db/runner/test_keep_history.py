"""Runners do a piece of the daily maintenance each time that they have counted."""

from __future__ import annotations

from tests.db.toy import Toy


def test_runs_older_than_the_setting_go_a_piece_at_a_time(toy: Toy):
    toy.runs(20_001)
    toy.later(days=399)
    assert toy.value("keep_history") == 0

    toy.later(days=2)
    assert [toy.value("keep_history") for _ in range(3)] == [20_000, 1, 0]


def test_jobs_are_summed_up_by_hour(toy: Toy):
    toy.add(3)
    toy.begin()
    toy.drain()
    toy.finish()
    toy.later(hours=3)
    toy.call("keep_history")

    assert toy.scalar("select sum(jobs) from headgate.job_hours") == 3
