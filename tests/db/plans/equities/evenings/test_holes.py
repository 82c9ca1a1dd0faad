"""Sessions without a bar: requested at growing intervals, then known gaps."""

from __future__ import annotations

import pytest

from tests.db.plans.equities.feed import prices
from tests.db.plans.equities.market import Market, weekdays
from tests.plan import Plan

EDP, GALP = "EDP.LS", "GALP.LS"
DAYS = weekdays("2026-06-15", 40)


@pytest.fixture
def market(db: Plan) -> Market:
    return Market(db, [EDP, GALP])


def reloads(market: Market, days: list[str]) -> list[str]:
    """Run some evenings; return the days on which EDP's whole history was requested."""
    return [x for x in days if ("prices_historical", EDP) in market.evening(x)]


@pytest.mark.parametrize("backwards", [False, True])
def test_a_hole_is_requested_at_growing_intervals_and_then_a_known_gap(
    db: Plan, market: Market, backwards: bool
):
    market.backwards = backwards
    market.holes = {EDP: {DAYS[2]}}
    asked = reloads(market, DAYS[:17])

    assert asked == [f"2026-{x}" for x in ("06-15", "06-19", "06-22", "06-26", "07-06")]
    (gap,) = db.sql("select session::text, tries from equities.known_gaps")
    assert gap == {"session": DAYS[2], "tries": 5}
    assert db.sql("select * from equities.holes") == []


def test_a_bar_that_comes_late_fills_its_hole(db: Plan, market: Market):
    market.holes = {EDP: {DAYS[2]}}
    reloads(market, DAYS[:4])
    assert db.scalar("select session::text from equities.holes") == DAYS[2]
    market.holes = {}

    assert reloads(market, DAYS[4:9]) == [DAYS[4]], "it had been asked for by then"
    assert DAYS[2] in prices(db, EDP), "the overlap has brought it"
    assert db.sql("select * from equities.holes") == []
    assert db.sql("select * from equities.known_gaps") == []


def test_a_listing_without_a_bar_for_the_last_session_is_not_due_in_every_run(
    db: Plan, market: Market
):
    market.holes = {EDP: set(DAYS[1:30])}
    market.evening(DAYS[0])
    asked = [x for x in DAYS[1:20] if ("prices_incremental", EDP) in market.evening(x)]
    due = """
        select count(*) from headgate.v_assets_needing_processing
        where asset = 'EDP.LS' and operation = 'prices_incremental'
    """

    assert asked == [DAYS[n] for n in (1, 2, 4, 8, 13, 18)], "the longer silent, the more rarely"
    assert max(prices(db, EDP)) == DAYS[0]
    assert db.scalar(due) == 0


def test_a_date_in_the_quarantine_is_not_a_hole(db: Plan, market: Market):
    market.evening(DAYS[0])
    db.sql(
        "insert into equities.prices_quarantine (asset_id, date, reason, seen_at) "
        "select asset_id, %(day)s, 'volume zero', now() from headgate.assets where code = 'EDP.LS'",
        day=DAYS[2],
    )
    market.holes = {EDP: {DAYS[2]}}
    for day in DAYS[1:5]:
        market.evening(day)

    assert db.sql("select * from equities.holes") == []
