"""equities.fundamentals_as_of and reported_periods: what was known when, about which period."""

from __future__ import annotations

from typing import Any

from tests.db.plans.equities.feed import ingest
from tests.plan import Plan


def answer(**quarters: Any) -> dict[str, Any]:
    """Return a company with the revenue of some quarters."""
    dated = {f"2026-{x[1:]}-30": {"totalRevenue": str(y)} for x, y in quarters.items()}
    return {
        "General": {"Code": "AAPL"},
        "Financials": {"Income_Statement": {"currency_symbol": "USD", "quarterly": dated}},
    }


def load(plan: Plan) -> None:
    """Report a quarter, then another, then restate the first."""
    for day, quarters in (
        ("2026-08-01", {"m06": 100}),
        ("2026-11-01", {"m06": 100, "m09": 120}),
        ("2026-11-20", {"m06": 90, "m09": 120}),
    ):
        ingest(plan, "ingest_fundamentals", {"AAPL.US": answer(**quarters)}, f"{day} 03:00+00")


def test_a_day_sees_what_was_known_then(db: Plan):
    load(db)
    known = {
        day: [
            (x["ticker"], x["payload"]["Financials"]["Income_Statement"]["quarterly"])
            for x in db.call("equities.fundamentals_as_of", p_date=day)
        ]
        for day in ("2026-07-31", "2026-08-01", "2026-11-19", "2026-11-20")
    }

    assert known["2026-07-31"] == []
    assert known["2026-08-01"] == [("AAPL.US", {"2026-06-30": {"totalRevenue": "100"}})]
    assert len(known["2026-11-19"][0][1]) == 2
    assert known["2026-11-20"][0][1]["2026-06-30"] == {"totalRevenue": "90"}


def test_each_period_has_its_versions_and_the_time_they_were_known(db: Plan):
    load(db)
    rows = db.call("equities.reported_periods", p_ticker="AAPL.US")
    known = [
        (
            str(x["period_end"]),
            x["figures"]["totalRevenue"],
            x["known_from"].strftime("%m-%d"),
            x["known_to"] and x["known_to"].strftime("%m-%d"),
        )
        for x in rows
    ]

    assert known == [
        ("2026-06-30", "100", "08-01", "11-20"),
        ("2026-06-30", "90", "11-20", None),
        ("2026-09-30", "120", "11-01", None),
    ]
