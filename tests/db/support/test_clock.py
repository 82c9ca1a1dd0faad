"""The database decides what time it is."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.db.toy import NOON, Toy
from tests.limits import PATIENCE

MOMENT = timedelta(seconds=PATIENCE)


def real(toy: Toy) -> datetime:
    """Return the server's own time."""
    found: datetime = toy.scalar("select clock_timestamp()")
    return found


@pytest.fixture
def clock(toy: Toy) -> Toy:
    """A clock that was never set."""
    toy.offset_clock("")
    return toy


def test_the_clock_shows_the_server_s_time(clock: Toy):
    before = real(clock)

    assert before <= clock.value("clock") <= real(clock)


def test_the_clock_can_be_moved_and_runs_on(clock: Toy):
    clock.offset_clock("-3250 days")

    first = clock.value("clock")
    assert timedelta(0) <= real(clock) - timedelta(days=3250) - first < MOMENT
    assert clock.value("clock") > first


def test_the_clock_can_stand_still(clock: Toy):
    clock.freeze_clock(NOON)

    assert clock.value("clock") == clock.value("clock") == NOON


def test_standing_still_goes_before_moving(clock: Toy):
    clock.offset_clock("5 days")
    clock.freeze_clock(NOON)

    assert clock.value("clock") == NOON


@pytest.mark.parametrize("value", ["false", '"true"', "null", "1"])
def test_the_clock_cannot_be_moved_unless_the_owner_has_allowed_it(toy: Toy, value: str):
    toy.sql("update headgate.settings set value = %(v)s::jsonb where name = 'test_clock'", v=value)
    toy.offset_clock("-1 day")
    assert abs(real(toy) - toy.value("clock")) < MOMENT

    toy.freeze_clock(NOON)
    assert abs(real(toy) - toy.value("clock")) < MOMENT


def test_leases_use_real_time(toy: Toy):
    toy.tune(lease="1 day")
    toy.add(1)
    toy.begin()
    toy.claim()

    (chunk,) = toy.chunks()
    day = timedelta(days=1)
    assert day - MOMENT < chunk["leased_until"] - real(toy) <= day
    assert chunk["planned_at"] == NOON


def test_all_that_is_written_has_the_clock_s_time(toy: Toy):
    toy.add(5)
    toy.begin()
    toy.drain()
    toy.finish()

    (run,) = toy.sql("select started_at, finished_at from headgate.process_executions")
    assert run == {"started_at": NOON, "finished_at": NOON}
    assert {x["ended_at"] for x in toy.details()} == {NOON}
    moments = toy.sql(
        "select started_at, finished_at from headgate.process_steps where step <> 'b'"
    )
    assert {y for x in moments for y in x.values()} == {NOON}
