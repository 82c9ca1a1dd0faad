"""equities.bars_for_indicators: the input of the indicators."""

from __future__ import annotations

import pytest

from tests.db.plans.equities.feed import asset_id, bar, ingest_prices
from tests.plan import Plan, Row

NOW = "2026-06-17 21:30:00+00"


def read(db: Plan, *codes: str, now: str = NOW) -> list[Row]:
    return db.call(
        "equities.bars_for_indicators",
        p_context={"now": now},
        p_asset_ids=[asset_id(db, x) for x in codes],
    )


def test_bars_come_adjusted_the_oldest_first(db: Plan):
    later = bar("2026-06-16", high=14, low=9, close=10, adjusted_close=5, volume=7)
    ingest_prices(db, {"AAPL.US": [later, bar("2025-06-13", adjusted_close=11)]})

    (row,) = read(db, "AAPL.US")

    assert row["high"] == [12.25, 7.0] and row["low"] == [9.75, 4.5]
    assert row["close"] == [11.0, 5.0] and row["volume"] == [1000.0, 7.0]
    assert (str(row["date"]), row["last_close"], row["bars_52w"]) == ("2026-06-16", 10.0, 1)


def test_bars_older_than_ten_years_are_left_out(db: Plan):
    ingest_prices(db, {"AAPL.US": [bar("2016-06-17"), bar("2016-06-20"), bar("2026-06-16")]})

    (row,) = read(db, "AAPL.US")

    assert row["close"] == pytest.approx([10.8, 10.8])


def test_a_listing_without_bars_has_no_row(db: Plan):
    ingest_prices(db, {"AAPL.US": [bar("2026-06-16")]})

    rows = read(db, "AAPL.US", "MSFT.US")

    assert [x["asset_id"] for x in rows] == [asset_id(db, "AAPL.US")]
