"""corrections_bulk: sessions read by a bulk call are read again for corrections, with units left over."""

from __future__ import annotations

import json

import pytest

from tests.db.plans.equities.feed import asset_id, prices
from tests.db.plans.equities.market import EVENING, Evenings, Market, weekdays
from tests.plan import Plan, Row

PIPELINE = "data_collection_equities"
CODES = ["EDP.LS", "GALP.LS", "NOS.LS", "BCP.LS"]
EDP = CODES[0]
DAYS = weekdays("2026-06-15", 20)
BEFORE = weekdays("2026-06-09", 4)
"""The last sessions before the first evening."""
REVISED = """
select date::text, close, known_to::date::text as until from equities.bar_revisions
where asset_id = %(x)s
"""
INDICATORS = """
select asset from headgate.v_asset_states
where operation = 'indicators_calculation' and next_due_at <= headgate.clock()
"""


@pytest.fixture(scope="module")
def evenings(lasting_db: Plan) -> Evenings:
    """Lisbon's, where one bulk call costs less than two single ones, and sessions are read again."""
    lasting_db.sql("update headgate.operations set units = 1 where name = 'eod_bulk'")
    lasting_db.sql("update equities.settings set value = 3 where name = 'corrections_from'")
    return Evenings(Market(lasting_db, CODES), DAYS)


def reread(asked: list[tuple[str, str]]) -> list[str]:
    """Return the sessions that an evening's requests read again."""
    return [y[3:] for x, y in asked if x == "corrections_bulk"]


def close(market: Market, day: str) -> float:
    return prices(market.plan, EDP)[day][3]


def test_a_session_is_read_again_after_the_next_and_the_fourth(evenings: Evenings):
    evenings.after(9)
    read = {day: reread(asked) for day, asked in zip(DAYS[:9], evenings.asked, strict=True)}

    sessions = [*BEFORE, *DAYS]
    assert read.pop(DAYS[0]) == [], "a history is read as it is"
    for day, again in read.items():
        evening = sessions.index(day)
        assert again == [sessions[evening - 4], sessions[evening - 1]]


NEEDED = 200 + 1 + 1
"""Units for what comes first: splits and dividends, a bulk call, and the list of symbols."""
LATER = """
update headgate.asset_processing_state as s
set next_due_at = case when o.name = 'prices_incremental' then %(at)s::timestamptz end
from headgate.assets as a, headgate.operations as o
where a.asset_id = s.asset_id
    and o.operation_id = s.operation_id
    and a.universe = 'equities'
    and a.group_key = 'SW'
"""


def decided(db: Plan, quota: int) -> list[tuple[str, str]]:
    """Return the decisions on re-reading with this many units, without any work before it."""
    rows = db.call("explain_plan", p_pipeline=PIPELINE, p_quota=quota)
    before = {x["decision"] for x in rows if x["operation"] != "corrections_bulk"}
    assert before == {"run"}
    return [(x["decision"], x["reason"]) for x in rows if x["operation"] == "corrections_bulk"]


@pytest.fixture
def evening(evenings: Evenings) -> Plan:
    """Move to the start of an evening on which two sessions are to be read again."""
    db = evenings.after(5).plan
    db.freeze_clock(f"{DAYS[5]} {EVENING}")
    return db


def test_reading_again_is_paid_from_the_windows_remaining_units(evening: Plan):
    assert [[x for x, _ in decided(evening, NEEDED + left)] for left in (0, 99, 100, 199, 200)] == [
        ["defer"] * 2,
        ["defer"] * 2,
        ["run", "defer"],
        ["run", "defer"],
        ["run"] * 2,
    ]


def test_reading_again_waits_behind_what_is_due_later_in_the_window(evening: Plan):
    evening.sql(
        "update headgate.assets set is_active = true where universe = 'equities' and group_key = 'SW'"
    )
    evening.sql(LATER, at=f"{DAYS[5]} 23:30:00+00")

    one_call = 1
    assert [x for x, _ in decided(evening, NEEDED + 200 + one_call)] == ["run", "run"]
    (first, _), (second, reason) = decided(evening, NEEDED + 200)
    assert (first, second) == ("run", "defer")
    assert "backfill: the remaining units are kept for what is due later" in reason


def test_a_forecast_has_the_corrections_on_each_day(evening: Plan):
    rows = evening.call("forecast", p_pipeline=PIPELINE, p_days=3)

    assert [x["units"] for x in rows] == [NEEDED + 200, NEEDED - 1 + 200, NEEDED - 1 + 200]


@pytest.mark.parametrize("late", [4, 3, 2, 1])
def test_a_correction_within_five_sessions_is_there_two_evenings_later_at_the_latest(
    evenings: Evenings, late: int
):
    market = evenings.after(2 + late)
    db = market.plan
    assert close(market, DAYS[2]) == 11.0
    market.corrections = {(EDP, DAYS[2]): (DAYS[2 + late], 11.5)}
    there = []
    for day in DAYS[2 + late : 9]:
        market.evening(day)
        if close(market, DAYS[2]) == 11.5:
            there.append(DAYS.index(day))

    assert 2 + late <= there[0] <= 2 + late + 2
    assert db.sql(REVISED, x=asset_id(db, EDP)) == [
        {"date": DAYS[2], "close": 11.0, "until": DAYS[there[0]]}
    ]


def test_indicators_of_what_was_corrected_are_due_again(evenings: Evenings):
    market = evenings.after(3)
    db = market.plan
    db.sql("update headgate.asset_processing_state set next_due_at = null where operation_id = "
           "(select operation_id from headgate.operations where name = 'indicators_calculation')")  # fmt: skip
    db.freeze_clock(f"{DAYS[3]} {EVENING}")
    take(db, DAYS[1], [{"code": "EDP", **market.bars(EDP)[-2], "volume": 1001}])

    assert [x["asset"] for x in db.sql(INDICATORS)] == [EDP]


def take(db: Plan, day: str, lines: list[Row] | str) -> Row:
    """Ingest an answer for a session."""
    (result,) = db.call(
        "equities.ingest_corrections",
        p_context={"run_id": "a run", "now": f"{DAYS[3]} {EVENING}"},
        p_asset_ids=[db.value("find_asset", p_universe="equities_days", p_code=f"LS {day}")],
        p_payloads=[lines if isinstance(lines, str) else json.dumps(lines)],
    )
    return result


def test_a_past_that_was_restated_is_loaded_again(evenings: Evenings):
    market = evenings.after(3)
    db = market.plan
    bar = {"code": "EDP", **market.bars(EDP)[-2], "adjusted_close": 5.5}
    take(db, DAYS[1], [bar])

    due = "select next_due_at is not null as due from headgate.v_asset_states where asset = 'EDP.LS' and operation = 'prices_historical'"
    assert db.scalar(due)
    assert prices(db, EDP)[DAYS[1]][4] == 11.0


def test_after_missed_evenings_nothing_is_read_twice_on_one(evenings: Evenings):
    market = evenings.after(3)

    before = [BEFORE[-1], *DAYS[:3]]
    assert reread(market.evening(DAYS[8])) == before, (
        "what was read before them, not what is read now"
    )
    assert reread(market.evening(DAYS[9])) == [DAYS[5], DAYS[8]], "as ever"


def test_only_what_was_corrected_counts_as_a_change(evenings: Evenings):
    market = evenings.after(2)
    market.corrections = {(EDP, DAYS[1]): (DAYS[2], 11.5)}
    market.evening(DAYS[2])
    rows = market.plan.sql(
        "select asset, records from headgate.v_asset_processing_history "
        "where operation = 'corrections_bulk' and records > 0"
    )

    assert rows == [{"asset": f"LS {DAYS[1]}", "records": 1}]


def test_bars_of_what_was_not_requested_yet_are_left_alone(evenings: Evenings):
    market = evenings.after(2)
    db = market.plan
    market.day = DAYS[2]
    ahead = market.answer("corrections_bulk", "", f"date={DAYS[2]}")
    result = take(db, DAYS[2], ahead)

    assert (result["status"], result["records"]) == ("success", 0)
    assert result["reason"] == "the answer has none of our listings"
    assert max(prices(db, EDP)) == DAYS[1]


def test_exchanges_that_are_requested_one_by_one_are_not_read_again(db: Plan):
    market = Market(db, CODES)
    assert [reread(market.evening(x)) for x in DAYS[:6]] == [[]] * 6
