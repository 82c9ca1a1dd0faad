"""equities.prices_as_of: what was known on a day, and nothing that came later."""

from __future__ import annotations

from tests.db.plans.equities.feed import bar, ingest, ingest_prices
from tests.plan import Plan, Row

DAYS = [f"2026-06-{x:02}" for x in range(8, 13)]
BEFORE = "2026-06-12 21:00+00"


def as_of(plan: Plan, day: str) -> list[Row]:
    rows = plan.call("equities.prices_as_of", p_date=day)
    return [{**x, "date": str(x["date"])} for x in sorted(rows, key=lambda x: x["date"])]


def test_no_bar_is_later_than_the_day_even_of_a_history_loaded_since(db: Plan):
    ingest(db, "ingest_history", {"AAPL.US": [bar(x) for x in DAYS]}, BEFORE)

    assert [x["date"] for x in as_of(db, DAYS[1])] == DAYS[:2]
    assert as_of(db, "2026-06-07") == []


def test_a_correction_is_not_known_before_it_was_made(db: Plan):
    ingest(db, "ingest_history", {"AAPL.US": [bar(x) for x in DAYS]}, BEFORE)
    ingest_prices(db, {"AAPL.US": [bar(DAYS[-1], volume=2000)]}, "2026-06-15 21:00+00")
    ingest_prices(db, {"AAPL.US": [bar(DAYS[-1], volume=3000)]}, "2026-06-17 21:00+00")
    days = (DAYS[-1], "2026-06-14", "2026-06-15", "2026-06-16", "2026-06-17")

    assert [as_of(db, x)[-1]["volume"] for x in days] == [1000, 1000, 2000, 2000, 3000]


def test_a_bar_that_came_late_was_not_known_before(db: Plan):
    ingest(db, "ingest_history", {"AAPL.US": [bar(x) for x in DAYS]}, BEFORE)
    ingest_prices(db, {"AAPL.US": [bar("2026-06-15")]}, "2026-06-17 21:00+00")

    assert [len(as_of(db, f"2026-06-{x}")) for x in (14, 15, 16, 17)] == [5, 5, 5, 6]


def test_adjustments_are_those_of_the_day(db: Plan):
    split = [bar(x, close=11.0, adjusted_close=5.5) for x in DAYS[:3]] + [
        bar(x, close=11.0, adjusted_close=11.0) for x in DAYS[3:]
    ]
    ingest(db, "ingest_history", {"AAPL.US": split}, BEFORE)

    assert {x["adjusted_close"] for x in as_of(db, DAYS[2])} == {11.0}, "there was no split yet"
    assert [x["adjusted_close"] for x in as_of(db, DAYS[4])] == [5.5] * 3 + [11.0] * 2
