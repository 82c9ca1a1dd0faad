"""Listings that bulk calls lack: twice late, then requested alone, and rarely if they are silent."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.db.plans.equities.feed import asset_id, prices
from tests.db.plans.equities.market import Evenings, Market, weekdays
from tests.plan import Plan

CODES = ["EDP.LS", "GALP.LS", "NOS.LS", "BCP.LS"]
EDP = CODES[0]
DAYS = weekdays("2026-06-15", 30)


@pytest.fixture(scope="module")
def evenings(lasting_db: Plan) -> Evenings:
    """Lisbon's, where one bulk call costs less than two single ones; its answers lack a listing."""
    lasting_db.sql("update headgate.operations set units = 1 where name = 'eod_bulk'")
    return Evenings(Market(lasting_db, CODES, lacked={EDP}), DAYS)


def evening(market: Market, day: str) -> tuple[bool, bool]:
    """Run an evening; return whether EDP was requested alone, and whether its bar arrived."""
    return seen(market, day, market.evening(day))


def seen(market: Market, day: str, requests: list[tuple[str, str]]) -> tuple[bool, bool]:
    """Return the same of an evening that is over."""
    assert "eod_bulk" in {x for x, _ in requests}, "the others are asked for together"
    return ("prices_incremental", EDP) in requests, day in prices(market.plan, EDP)


def test_a_listing_that_the_answer_always_lacks_is_late_twice_and_then_never(evenings: Evenings):
    found = [seen(evenings.after(n + 1), DAYS[n], evenings.asked[n]) for n in range(1, 9)]

    assert [is_there for _, is_there in found] == [False, True, False, *[True] * 5]
    assert [is_alone for is_alone, _ in found] == [False, True, False, *[True] * 5]
    assert set(DAYS[:9]) <= prices(evenings.after(9).plan, EDP).keys()


def test_a_listing_that_the_answer_has_after_all_is_served_by_it_again(evenings: Evenings):
    market = evenings.after(6)
    market.lacked = set()

    assert evening(market, DAYS[6]) == (True, True), "it was planned before that was known"
    assert [evening(market, x) for x in DAYS[7:10]] == [(False, True)] * 3


def test_the_reason_of_a_jobs_end_is_reported(evenings: Evenings):
    db = evenings.after(2).plan
    (row,) = db.sql(
        "select status, reason, error from headgate.asset_processing_details "
        "where asset_id = %(x)s and status = 'deferred'",
        x=asset_id(db, EDP),
    )

    assert row["reason"] == "missing: the bulk answer does not contain it"
    assert row["error"] == "the ingest function returned no row for this asset"


def test_a_listing_that_does_not_trade_is_requested_at_growing_intervals(evenings: Evenings):
    market = evenings.after(1)
    market.holes = {EDP: set(DAYS[1:])}
    alone = [n for n, x in enumerate(DAYS) if n and evening(market, x)[0]]

    gaps = [y - x for x, y in pairwise(alone)]
    assert gaps == sorted(gaps)
    assert set(gaps[-3:]) == {5}, "the plan's limit of silent sessions"
    assert len(alone) < 10
