"""equities.ingest_indicators: one row for each listing, which replaces the previous one."""

from __future__ import annotations

from tests.db.plans.equities.feed import asset_id
from tests.db.plans.equities.figures import ingest_indicators
from tests.plan import Plan

STORED = "select t.rsi_14, t.sma_20 from equities.technical_indicators as t order by t.asset_id"


def test_a_row_takes_the_place_of_the_row_before(db: Plan):
    first = ingest_indicators(db, {"AAPL.US": {"rsi_14": 40, "sma_20": 7}})
    again = ingest_indicators(db, {"AAPL.US": {"rsi_14": 41}})

    assert db.sql(STORED) == [{"rsi_14": 41.0, "sma_20": None}]
    assert [x["asset_id"] for x in first] == [asset_id(db, "AAPL.US")]
    assert [(x["status"], x["records"]) for x in again] == [("success", 1)]
    assert str(first[0]["watermark"]).startswith("2026-06-16")


def test_rows_of_other_listings_stay(db: Plan):
    ingest_indicators(db, {"AAPL.US": {"rsi_14": 40}, "MSFT.US": {"rsi_14": 50}})
    ingest_indicators(db, {"MSFT.US": {"rsi_14": 51}})

    assert sorted(x["rsi_14"] for x in db.sql(STORED)) == [40, 51]


def test_every_column_says_what_it_is_and_where_it_comes_from(db: Plan):
    columns = db.sql(
        "select a.attname::text as name, col_description(a.attrelid, a.attnum) as comment"
        " from pg_attribute as a where a.attrelid = 'equities.technical_indicators'::regclass"
        " and a.attnum > 0 and a.atttypid = 'float8'::regtype"
    )

    assert len(columns) >= 38
    assert [x["name"] for x in columns if "Source: " not in x["comment"]] == []
