"""equities.chart_bars: the data of a chart."""

from __future__ import annotations

import psycopg
import pytest

from tests.db.plans.equities.feed import bar, ingest_prices
from tests.plan import Plan


def test_a_chart_has_the_last_bars_adjusted_the_oldest_first(db: Plan):
    days = ("2026-06-12", "2026-06-15", "2026-06-16")
    ingest_prices(db, {"AAPL.US": [bar(x, adjusted_close=5.5) for x in days]})

    rows = db.call("equities.chart_bars", p_ticker="AAPL.US", p_bars=2)

    assert [str(x["date"]) for x in rows] == list(days[1:])
    assert [rows[0][x] for x in ("open", "high", "low", "close")] == [5.25, 6.125, 4.875, 5.5]
    assert (rows[0]["ticker"], rows[0]["currency"]) == ("AAPL.US", "USD")


def test_an_unknown_ticker_is_an_error(db: Plan):
    with pytest.raises(psycopg.Error, match="unknown asset"):
        db.call("equities.chart_bars", p_ticker="NOBODY.US")
