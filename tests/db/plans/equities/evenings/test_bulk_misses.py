"""Listings that bulk calls lack: twice late, then requested alone, and rarely if they are silent."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.db.plans.equities.feed import asset_id, prices
from tests.db.plans.equities.market import Market, weekdays
from tests.plan import Plan

CODES = ["EDP.LS", "GALP.LS", "NOS.LS", "BCP.LS"]
EDP = CODES[0]
DAYS = weekdays("2026-06-15", 30)


@pytest.fixture
def market(db: Plan) -> Market:
    """Lisbon, where one bulk call costs less than two single ones."""
    db.sql("update headgate.operations set units = 1 where name = 'eod_bulk'")
    market = Market(db, CODES)
    market.evening(DAYS[0])
    return market


def evening(market: Market, day: str) -> tuple[bool, bool]:
    """Run an evening; return whether EDP was requested alone, and whether its bar arrived."""
    asked = {(x, y) for x, y in market.evening(day)}
    assert {x for x, _ in asked} >= {"eod_bulk"}, "the others are asked for together"
    return ("prices_incremental", EDP) in asked, day in prices(market.plan, EDP)


def test_a_listing_that_the_answer_always_lacks_is_late_twice_and_then_never(market: Market):
    market.lacked = {EDP}
    evenings = [evening(market, x) for x in DAYS[1:9]]

    assert [is_there for _, is_there in evenings] == [False, True, False, *[True] * 5]
    assert [is_alone for is_alone, _ in evenings] == [False, True, False, *[True] * 5]
    assert set(DAYS[:9]) <= prices(market.plan, EDP).keys()


def test_the_reason_of_a_jobs_end_is_reported(db: Plan, market: Market):
    market.lacked = {EDP}
    evening(market, DAYS[1])
    (row,) = db.sql(
        "select status, reason, error from headgate.asset_processing_details "
        "where asset_id = %(x)s and status = 'deferred'",
        x=asset_id(db, EDP),
    )

    assert row["reason"] == "missing: the bulk answer does not contain it"
    assert row["error"] == "the ingest function returned no row for this asset"


def test_a_listing_that_the_answer_has_after_all_is_served_by_it_again(market: Market):
    market.lacked = {EDP}
    for day in DAYS[1:6]:
        evening(market, day)
    market.lacked = set()

    assert evening(market, DAYS[6]) == (True, True), "it was planned before that was known"
    assert [evening(market, x) for x in DAYS[7:10]] == [(False, True)] * 3


def test_a_listing_that_does_not_trade_is_requested_at_growing_intervals(market: Market):
    market.lacked = {EDP}
    market.holes = {EDP: set(DAYS[1:])}
    alone = [n for n, x in enumerate(DAYS) if n and evening(market, x)[0]]

    gaps = [y - x for x, y in pairwise(alone)]
    assert gaps == sorted(gaps)
    assert set(gaps[-3:]) == {5}, "the plan's limit of silent sessions"
    assert len(alone) < 10
