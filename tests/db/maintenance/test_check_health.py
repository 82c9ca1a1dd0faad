"""An alert is raised once with its cause, and resolved with it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.db.toy import NOON, Toy

RUN = {"p_pipeline": "headgate_maintenance", "p_run_id": "m1"}


@pytest.fixture
def healthy(toy: Toy) -> Toy:
    """Return the toy world where all calendars reach far and no provider is blocked."""
    toy.sql("delete from headgate.alerts")
    return toy


def alerts(toy: Toy) -> list[tuple[str, str]]:
    return [(x["severity"], x["subject"]) for x in toy.call("check_health", **RUN)]


def sessions_until(toy: Toy, calendar: str, days: int) -> None:
    toy.sql(
        "insert into headgate.trading_sessions (calendar, session, opens_at, closes_at)"
        " values (%(calendar)s, %(day)s, %(day)s::timestamptz, %(day)s::date + 1)"
        " on conflict do nothing",
        calendar=calendar,
        day=(NOON + timedelta(days=days)).date(),
    )


def test_a_healthy_database_raises_no_alert(healthy: Toy):
    assert alerts(healthy) == []


def test_a_calendar_that_ends_soon_raises_an_alert_that_says_what_to_do(healthy: Toy):
    healthy.add(1, calendar="SOON")
    sessions_until(healthy, "SOON", 89)

    (row,) = healthy.call("check_health", **RUN)
    assert (row["severity"], row["subject"]) == ("warning", "calendar SOON")
    assert "2024-06-02" in row["message"] and "docs/operations.md" in row["message"]


def test_the_alert_is_raised_once_and_resolved_when_more_sessions_are_loaded(healthy: Toy):
    healthy.add(1, calendar="SOON")
    sessions_until(healthy, "SOON", 1)
    assert alerts(healthy) == alerts(healthy) == [("warning", "calendar SOON")]

    sessions_until(healthy, "SOON", 91)
    healthy.later(days=1)
    assert alerts(healthy) == []

    (row,) = healthy.sql("select subject, resolved_at from headgate.v_alerts")
    assert row == {"subject": "calendar SOON", "resolved_at": NOON + timedelta(days=1)}


def test_a_calendar_without_any_session_raises_an_alert(healthy: Toy):
    healthy.add(1, calendar="NONE")

    assert alerts(healthy) == [("warning", "calendar NONE")]


def test_a_calendar_of_assets_put_aside_raises_none(healthy: Toy):
    (asset,) = healthy.add(1, calendar="NONE")
    healthy.call("set_asset_active", p_asset_id=asset, p_is_active=False)

    assert alerts(healthy) == []


def test_a_provider_that_stays_blocked_raises_an_alert_until_it_is_open(healthy: Toy):
    healthy.provider(blocked_until=str(NOON + timedelta(hours=2)), reason="they moved")

    (row,) = healthy.call("check_health", **RUN)
    assert (row["severity"], row["subject"]) == ("error", "provider shop")
    assert "they moved" in row["message"]

    healthy.later(hours=3)
    assert alerts(healthy) == []


def test_a_provider_that_opens_within_the_hour_raises_none(healthy: Toy):
    healthy.provider(blocked_until=str(NOON + timedelta(minutes=59)), reason="a breather")

    assert alerts(healthy) == []
