"""The time at which a provider publishes the data of a session."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.plan import Plan


def published(db: Plan, calendar: str, session: str) -> object:
    return db.value("published_at", p_provider="eodhd", p_calendar=calendar, p_session=session)


def test_data_come_out_at_the_close_and_the_provider_s_lag_for_that_calendar(db: Plan):
    assert published(db, "XNYS", "2026-06-17") == datetime(2026, 6, 17, 20, 15, tzinfo=UTC)
    assert published(db, "XFRA", "2026-06-17") == datetime(2026, 6, 17, 23, 0, tzinfo=UTC)
    assert published(db, "XLON", "2026-06-17") == datetime(2026, 6, 17, 18, 30, tzinfo=UTC)


def test_a_day_without_a_session_has_no_data(db: Plan):
    assert published(db, "XNYS", "2026-07-04") is None
