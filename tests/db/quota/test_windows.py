"""Quota windows tile time: every moment is in exactly one, however clocks change (_windows.sql)."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.db.toy import Toy
from tests.plan import Row

FIRST, LAST = datetime(1996, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
ZONES = sorted(x for x in available_timezones() if "/" in x and not x.startswith(("Etc", "posix")))
WINDOW = """
select w.*
from headgate.providers as p
cross join lateral headgate._window_at(p, %(at)s) as w
where p.name = 'shop'
"""
WALK = """
with recursive zone as (
    select z.name, jsonb_populate_record(p, jsonb_build_object('quota_zone', z.name)) as provider
    from pg_timezone_names as z
    cross join headgate.providers as p
    where z.name = any (%(zones)s)
        and p.name = 'shop'
),
walk (name, provider, opened_at, closes_at, day) as (
    select z.name, z.provider, w.opened_at, w.closes_at, 1
    from zone as z
    cross join lateral headgate._calendar_window(z.provider, %(start)s) as w
    union all
    select k.name, k.provider, w.opened_at, w.closes_at, k.day + 1
    from walk as k
    cross join lateral headgate._calendar_window(k.provider, k.closes_at) as w
    where k.day < %(days)s
)
select k.name, k.opened_at, k.closes_at, n.opened_at as next_opened_at
from walk as k
join walk as n on n.name = k.name and n.day = k.day + 1
where n.opened_at <> k.closes_at
    or k.closes_at - k.opened_at not between interval '20 hours' and interval '28 hours'
"""


def window(toy: Toy, at: datetime) -> Row:
    """Return the window that contains a moment."""
    (row,) = toy.sql(WINDOW, at=at)
    return row


def calendar(toy: Toy, zone: str, period: str = "day") -> None:
    """Give the provider a calendar."""
    toy.sql(
        "update headgate.providers set quota_zone = %(zone)s, quota_period = %(period)s"
        " where name = 'shop'",
        zone=zone,
        period=period,
    )


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    zone=st.sampled_from(ZONES),
    period=st.sampled_from(["minute", "hour", "day", "month"]),
    seconds=st.integers(0, int((LAST - FIRST).total_seconds())),
)
def test_every_moment_is_in_one_window_and_the_next_begins_where_it_ends(
    toy: Toy, zone: str, period: str, seconds: int
):
    calendar(toy, zone, period)
    at = FIRST + timedelta(seconds=seconds)

    found = window(toy, at)
    assert found["opened_at"] <= at < found["closes_at"]
    assert window(toy, found["opened_at"]) == found
    assert window(toy, found["closes_at"] - timedelta(microseconds=1)) == found
    assert window(toy, found["closes_at"])["opened_at"] == found["closes_at"]


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("Africa/Cairo", date(2024, 4, 26)),  # 00:00 becomes 01:00
        ("Africa/Cairo", date(2023, 10, 27)),  # 00:00 becomes 23:00 again
        ("Asia/Beirut", date(2024, 3, 31)),
        ("Asia/Beirut", date(2023, 10, 29)),
        ("America/Santiago", date(2024, 9, 8)),
        ("America/Santiago", date(2024, 4, 7)),
        ("America/Havana", date(2024, 3, 10)),
        ("America/Havana", date(2024, 11, 3)),
        ("America/Sao_Paulo", date(2018, 11, 4)),
        ("Asia/Tehran", date(2022, 3, 22)),
        ("Australia/Lord_Howe", date(2024, 10, 6)),  # by half an hour
        ("Pacific/Apia", date(2011, 12, 31)),  # the day before did not exist
    ],
)
def test_a_day_that_begins_or_ends_with_a_jump_is_a_day(toy: Toy, zone: str, day: date):
    calendar(toy, zone)
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(zone)).astimezone(UTC)

    for hours in range(-72, 72):
        found = window(toy, noon + timedelta(hours=hours))
        assert timedelta(hours=22) <= found["closes_at"] - found["opened_at"] <= timedelta(hours=26)
        assert window(toy, found["closes_at"])["opened_at"] == found["closes_at"]


@pytest.mark.parametrize("year", [1997, 2006, 2015, 2023, 2025])
def test_all_zones_have_days_one_after_the_other(toy: Toy, year: int):
    start = datetime(year, 1, 1, 12, tzinfo=UTC)

    assert toy.sql(WALK, zones=ZONES[year % 5 :: 5], start=start, days=370) == []


def test_a_change_of_zone_opens_no_second_window_in_the_same_hours(toy: Toy):
    toy.provider(quota=100)
    toy.add(30)
    toy.begin()
    toy.drain()
    toy.finish()
    before = toy.window()
    assert (before["usable"], before["spent"]) == (100, 30)

    calendar(toy, "America/New_York")
    toy.later(hours=2)
    assert window(toy, toy.now)["opened_at"] == before["opened_at"]
    toy.later(hours=12)  # after midnight, UTC, and before midnight in New York
    toy.provider(quota=110)
    toy.sql("update headgate.asset_processing_state set next_due_at = %(now)s", now=toy.now)
    toy.start("r2")
    toy.check("r2")
    assert toy.window()["opened_at"] == before["opened_at"]
    assert toy.window()["closes_at"] == datetime(2024, 3, 6, 5, tzinfo=UTC)

    toy.later(hours=4)
    toy.finish("r2")
    toy.start("r3")
    toy.check("r3")
    assert toy.window()["opened_at"] == datetime(2024, 3, 6, 5, tzinfo=UTC)
    assert toy.window()["closes_at"] == datetime(2024, 3, 7, 5, tzinfo=UTC)


def test_windows_never_overlap_whatever_is_changed_when(toy: Toy):
    toy.add(1)
    toy.start()
    changes = [
        ("Asia/Tokyo", "day"), ("America/New_York", "day"), ("UTC", "hour"), ("Asia/Kolkata", "hour"),
        ("Pacific/Apia", "day"), ("UTC", "month"), ("America/Havana", "day"), ("UTC", "day"),
    ]  # fmt: skip
    for zone, period in changes:
        calendar(toy, zone, period)
        for _ in range(5):
            toy.sql(
                "select headgate._open_window(p, %(now)s) from headgate.providers as p where name = 'shop'",
                now=toy.now,
            )
            toy.later(hours=7)

    rows = toy.sql("select opened_at, closes_at from headgate.quota_windows order by opened_at")
    assert len(rows) > 10
    for one, other in itertools.pairwise(rows):
        assert one["closes_at"] <= other["opened_at"], (one, other)
