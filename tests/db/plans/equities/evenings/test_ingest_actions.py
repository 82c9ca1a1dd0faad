"""equities.ingest_actions: splits and dividends make histories stale, each once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.db.plans.equities.feed import NOW, asset_id, prices
from tests.db.plans.equities.market import Evenings, Market, weekdays
from tests.plan import Plan, Row

EDP, GALP = "EDP.LS", "GALP.LS"
DAYS = weekdays("2026-06-15", 10)
RELOADED = "select count(*) from equities.history_reloads"


@pytest.fixture(scope="module")
def evenings(lasting_db: Plan) -> Evenings:
    return Evenings(Market(lasting_db, [EDP, GALP]), DAYS)


def test_a_first_run_asks_for_no_actions_and_the_next_one_for_the_next_session_s(
    evenings: Evenings,
):
    evenings.after(2)
    first, second = evenings.asked

    assert {x for x, _ in first} == {"prices_historical"}
    assert ("splits_bulk", f"LS {DAYS[1]}") in second
    assert ("dividends_bulk", f"LS {DAYS[1]}") in second
    assert [x for x, _ in second].count("splits_bulk") == 1


def test_a_split_reloads_its_history_once_and_no_other(evenings: Evenings):
    market = evenings.after(2)
    db = market.plan
    market.splits = {EDP: {DAYS[2]: 2.0}}
    later = [market.evening(day) for day in DAYS[2:6]]
    reloads = [y for day in (*evenings.asked, *later) for x, y in day if x == "prices_historical"]

    assert reloads == [EDP, GALP, EDP], "the two first loads, and one reload"
    assert db.scalar(RELOADED) == 1
    adjusted = {day: bar[4] for day, bar in prices(db, EDP).items()}
    assert {y for x, y in adjusted.items() if x < DAYS[2]} == {5.5}
    assert {y for x, y in adjusted.items() if x >= DAYS[2]} == {11.0}
    assert max(adjusted) == DAYS[5]
    assert {x[4] for x in prices(db, GALP).values()} == {11.0}
    assert (
        db.scalar("select count(*) from equities.corporate_actions where applied_at is null") == 0
    )


def test_days_that_were_missed_are_requested_together(evenings: Evenings):
    asked = evenings.after(1).evening(DAYS[4])

    assert [y for x, y in asked if x == "splits_bulk"] == [f"LS {x}" for x in DAYS[1:5]]


def test_exchanges_are_watched_as_long_as_they_are_requested(evenings: Evenings):
    market = evenings.after(1)
    for day in weekdays("2026-06-16", 50)[::10]:
        market.evening(day)
    ahead = (
        "select max(attributes ->> 'session') from headgate.assets where universe = 'equities_days'"
    )

    assert market.plan.scalar(ahead) > "2026-09-01"


def take(plan: Plan, lines: Any) -> Row:
    """Ingest the actions of a session; return the result."""
    (result,) = plan.call(
        "equities.ingest_actions",
        p_context={"now": NOW},
        p_asset_ids=[plan.value("find_asset", p_universe="equities_days", p_code=f"LS {DAYS[1]}")],
        p_payloads=[lines],
    )
    return result


def test_an_action_reported_again_some_days_later_is_the_same(evenings: Evenings):
    db = evenings.after(1).plan
    told = json.dumps([{"code": "EDP", "date": DAYS[1], "split": "1.000000/20.000000"}])

    assert take(db, told)["records"] == 1
    assert take(db, told)["records"] == 0
    assert take(db, told.replace(DAYS[1], DAYS[2]))["records"] == 0
    assert db.sql("select ratio, ex_date::text from equities.corporate_actions") == [
        {"ratio": 0.05, "ex_date": DAYS[1]}
    ]


def test_only_loaded_listings_count_and_odd_lines_harm_nobody(evenings: Evenings):
    db = evenings.after(1).plan
    lines = """[{"code": "EDP", "date": "2026-06-16", "dividend": 0.19, "currency": "EUR"},
        {"code": "NOS", "date": "2026-06-16", "dividend": 0.3}, {"code": "GALP", "date": "soon"},
        {"code": "GALP", "date": "2026-06-16", "split": "0/0"}, 7]"""
    result = take(db, lines)

    assert (result["status"], result["records"]) == ("success", 1)
    assert result["reason"] == "3 of its lines not understood"
    (action,) = db.sql("select asset_id, kind, amount, currency from equities.corporate_actions")
    assert action == {
        "asset_id": asset_id(db, EDP),
        "kind": "dividend",
        "amount": 0.19,
        "currency": "EUR",
    }


def test_a_bulk_bar_does_not_join_a_history_that_waits_to_be_loaded_again(
    evenings: Evenings,
):
    market = evenings.after(1)
    db = market.plan
    take(db, json.dumps([{"code": "EDP", "date": DAYS[1], "split": "2/1"}]))
    ids = [asset_id(db, x) for x in (EDP, GALP)]
    market.day = DAYS[1]
    rows = db.call(
        "equities.ingest_eod_bulk",
        p_context={"now": f"{DAYS[1]} 22:30+00"},
        p_asset_ids=ids,
        p_payloads=[json.dumps(market.answer("eod_bulk", "LS", "")), None],
    )

    assert [x["asset_id"] for x in rows] == [ids[1]]
