"""equities.ingest_fx_rates: what a currency is worth in US dollars."""

from __future__ import annotations

import json

from tests.plan import Plan, Row

EUR = {"code": "EURUSD.FOREX", "group_key": "FOREX", "attributes": {"currency": "EUR"}}


def ingest(db: Plan, *days: Row) -> Row:
    db.sql(
        "select headgate.upsert_assets('fx', jsonb_build_array(%(pair)s))",
        pair=EUR,
    )
    pair = db.value("find_asset", p_universe="fx", p_code="EURUSD.FOREX")
    return db.row(
        "equities.ingest_fx_rates",
        p_context={},
        p_asset_ids=[pair],
        p_payloads=[json.dumps(days)],
    )


def test_a_rate_is_kept_for_each_day_and_only_what_is_new_is_written(db: Plan):
    first = ingest(db, {"date": "2026-06-15", "close": 1.1}, {"date": "2026-06-16", "close": 1.2})
    again = ingest(db, {"date": "2026-06-15", "close": 1.1}, {"date": "2026-06-16", "close": 1.3})

    rates = db.sql("select f.date::text, f.usd from equities.fx_rates as f order by 1")
    assert [(x["date"], x["usd"]) for x in rates] == [("2026-06-15", 1.1), ("2026-06-16", 1.3)]
    assert (first["records"], again["records"]) == (2, 1)
    assert str(again["watermark"]).startswith("2026-06-16")


def test_days_without_a_price_are_left_out(db: Plan):
    result = ingest(db, {"date": "2026-06-15", "close": None}, {"date": "2026-06-16", "close": 0})

    assert (result["status"], result["records"]) == ("success", 0)
    assert result["reason"] == "the provider has no rates"
