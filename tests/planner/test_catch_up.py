"""The source system's catch-up: 5,045 listings loaded and stale by one session, 16,772 new, 90,000 units a day."""

from __future__ import annotations

import pytest

from tests.plan import Plan, Row
from tests.planner.evening import LOADED, NOW, WAITING

PIPELINE = "data_collection_equities"
AS_BEFORE = {
    "bulk_calls": False,
    "calendar": "daily",
    "reserve": 0,
    "operations": ["fundamentals_bulk", "prices_historical", "prices_incremental"],
}


@pytest.fixture
def catch_up(db: Plan) -> Plan:
    """Return the source system's starting point."""
    db.freeze_clock(NOW)
    db.sql(LOADED)
    db.sql(WAITING)
    return db


def forecast(db: Plan, days: int, **params: object) -> list[Row]:
    """Forecast the equities pipeline."""
    return db.call("forecast", p_pipeline=PIPELINE, p_days=days, p_params=params)


def test_three_days_load_everything_and_then_21817_units_are_spent_a_day(catch_up: Plan):
    rows = forecast(catch_up, 5, **AS_BEFORE)

    assert [(x["day"], x["units"], x["new"], x["updated"]) for x in rows] == [
        (1, 89_998, 7_723, 5_045),
        (2, 89_999, 7_021, 12_768),
        (3, 42_097, 2_028, 19_789),
        (4, 21_817, 0, 21_817),
        (5, 21_817, 0, 21_817),
    ]
    assert [x["backlog"] for x in rows] == [9_049, 2_028, 0, 0, 0]
    assert [x["deferred"] for x in rows] == [9_049, 2_028, 0, 0, 0]


def test_thirty_days_of_21817_assets_are_forecast(catch_up: Plan):
    rows = forecast(catch_up, 30, **AS_BEFORE)

    assert len(rows) == 30


def test_explain_agrees_with_the_forecast_s_first_day(catch_up: Plan):
    rows = catch_up.call("explain_summary", p_pipeline=PIPELINE, p_params=AS_BEFORE)

    assert sum(x["units"] for x in rows if x["decision"] == "run") == 89_998
    new = [x for x in rows if x["operation"] == "fundamentals_bulk" and x["decision"] == "run"]
    assert sum(x["count"] for x in new) == 7_723


def test_another_quota_or_another_price_changes_the_answer(catch_up: Plan):
    fewer = catch_up.call(
        "forecast", p_pipeline=PIPELINE, p_days=2, p_quota=45_000, p_params=AS_BEFORE
    )
    assert [x["new"] for x in fewer] == [3_632, 3_302]

    catch_up.sql("update headgate.operations set units = 20 where name = 'fundamentals_bulk'")
    assert [x["new"] for x in forecast(catch_up, 2, **AS_BEFORE)] == [4_045, 3_852]


def test_with_pages_all_is_loaded_as_fast_as_the_runs_ceiling_allows(catch_up: Plan):
    catch_up.call("set_provider", p_provider="eodhd", p_changes={"features": ["bulk_fundamentals"]})
    params = {x: y for x, y in AS_BEFORE.items() if x != "bulk_calls"}
    rows = forecast(catch_up, 3, **params)

    assert [x["new"] for x in rows] == [8_000, 8_000, 772], "max_new_assets_per_day"
    said = catch_up.call("explain_summary", p_pipeline=PIPELINE, p_params=params)
    run = [x for x in said if x["decision"] == "run"]
    assert sum(x["units"] for x in run) == rows[0]["units"] < 20_000
    pages = [x for x in run if x["operation"] == "fundamentals_bulk"]
    assert sum(x["count"] for x in pages) == 8_000
    assert all(x["units"] == -(-x["count"] // 500) * 100 + x["count"] for x in pages)
