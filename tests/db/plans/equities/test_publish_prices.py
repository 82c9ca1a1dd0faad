"""equities.publish_prices: data that pass the checks are published, else yesterday's data stay, with one alert."""

from __future__ import annotations

from typing import Any

import pytest

from tests.db.plans.equities.feed import bar, ingest, ingest_prices
from tests.db.plans.equities.market import weekdays
from tests.plan import Plan, Row

MONDAY, TUESDAY, WEDNESDAY, THURSDAY = "2026-06-15", "2026-06-16", "2026-06-17", "2026-06-18"
BEFORE = weekdays("2026-05-13", 23)
"""Sessions before Monday."""
CHECKS = {"bars_believed", "bars_there", "closes_doubled", "closes_unchanged"}
STEP = {"p_pipeline": "data_collection_equities", "p_run_id": "r1"}
OPEN = """
select severity, subject, message from headgate.v_alerts
where subject like 'prices %%' and resolved_at is null
"""


@pytest.fixture
def codes(db: Plan) -> list[str]:
    """Load 30 listings of Lisbon up to Tuesday; Tuesday is published."""
    codes = lisbon(db, 30)
    load(db, codes)
    assert publish(db, TUESDAY)["is_published"]
    return codes


def lisbon(plan: Plan, count: int) -> list[str]:
    rows = plan.sql(
        "select code from headgate.assets where group_key = 'LS' and universe = 'equities' order by code"
    )
    return [x["code"] for x in rows if " " not in x["code"]][:count]


def load(plan: Plan, codes: list[str], days: list[str] = BEFORE) -> None:
    """Load histories up to Tuesday."""
    bars = [*(bar(x) for x in days), bar(MONDAY), bar(TUESDAY, close=10)]
    ingest(plan, "ingest_history", dict.fromkeys(codes, bars), f"{TUESDAY} 22:00+00")


def publish(plan: Plan, day: str, hour: str = "22:30") -> Row:
    (row,) = published(plan, f"{day} {hour}+00")
    return row


def published(plan: Plan, at: str) -> list[Row]:
    plan.freeze_clock(at)
    plan.call("start_execution", **STEP)
    return plan.call("equities.publish_prices", **STEP)


def shown(plan: Plan, code: str) -> dict[str, float]:
    rows = plan.sql(
        "select date::text, close from equities.v_published_prices where ticker = %(code)s "
        "and date >= %(monday)s order by 1",
        code=code,
        monday=MONDAY,
    )
    return {x["date"]: x["close"] for x in rows}


def update(plan: Plan, answers: dict[str, list[Row]], day: str = WEDNESDAY) -> None:
    ingest_prices(plan, answers, f"{day} 22:00+00")


def test_a_session_that_stands_the_checks_is_shown(db: Plan, codes: list[str]):
    update(db, {x: [bar(WEDNESDAY)] for x in codes})

    assert list(shown(db, codes[0])) == [MONDAY, TUESDAY], "not before it is published"
    row = publish(db, WEDNESDAY)
    assert (row["group_key"], row["is_published"], row["failed_checks"]) == ("LS", True, [])
    assert list(shown(db, codes[0])) == [MONDAY, TUESDAY, WEDNESDAY]
    assert db.sql(OPEN) == []


@pytest.mark.parametrize(
    ("bars", "check"),
    [
        ({}, "bars_there"),
        ({"close": 10.4}, "closes_unchanged"),
        ({"volume": 0}, "bars_believed"),
    ],
)
def test_a_failing_check_keeps_yesterday_s_data_and_raises_one_alert(
    db: Plan, codes: list[str], bars: dict[str, Any], check: str
):
    some = codes if bars else codes[:10]
    corrected = bar(TUESDAY, close=10.4, adjusted_close=11.232)
    update(db, {x: [corrected, bar(WEDNESDAY, **bars)] for x in some})
    rows = [publish(db, WEDNESDAY, hour) for hour in ("22:30", "22:45")]

    assert not any(x["is_published"] for x in rows)
    assert rows[0]["failed_checks"] == [check]
    assert shown(db, codes[0]) == {MONDAY: 11.0, TUESDAY: 10.0}, "corrections are not shown either"
    (alert,) = db.sql(OPEN)
    assert (alert["severity"], alert["subject"]) == ("error", f"prices LS {WEDNESDAY}")
    assert alert["message"].startswith(f"not published: {check} is ")


def test_late_bars_are_published_and_resolve_the_alert(db: Plan, codes: list[str]):
    update(db, {x: [bar(WEDNESDAY)] for x in codes[:10]})
    publish(db, WEDNESDAY)
    update(db, {x: [bar(WEDNESDAY)] for x in codes})

    assert publish(db, WEDNESDAY, "23:30")["is_published"]
    assert db.sql(OPEN) == []
    assert list(shown(db, codes[-1])) == [MONDAY, TUESDAY, WEDNESDAY]


def test_a_threshold_is_the_operator_s(db: Plan, codes: list[str]):
    db.call("set_check", p_check="bars_there", p_changes={"severity": "warn"})
    update(db, {x: [bar(WEDNESDAY)] for x in codes[:20]})
    row = publish(db, WEDNESDAY)

    assert (row["is_published"], row["failed_checks"]) == (True, ["bars_there"])
    assert db.sql(OPEN)[0]["severity"] == "warning"


def test_bars_from_a_split_on_wait_until_the_history_is_whole(db: Plan, codes: list[str]):
    update(db, {x: [bar(WEDNESDAY)] for x in codes})
    db.sql(
        "insert into equities.corporate_actions (asset_id, ex_date, kind, ratio, seen_at) "
        "select asset_id, '2026-06-17', 'split', 2, '2026-06-17' from headgate.assets "
        "where code = %(code)s",
        code=codes[0],
    )
    publish(db, WEDNESDAY)

    assert list(shown(db, codes[0])) == [MONDAY, TUESDAY]
    assert list(shown(db, codes[1])) == [MONDAY, TUESDAY, WEDNESDAY]


def test_an_exchange_that_nobody_loads_is_not_judged(db: Plan):
    assert published(db, f"{WEDNESDAY} 22:30+00") == []


def value(plan: Plan, name: str = "bars_there") -> float | None:
    found: float | None = plan.scalar(
        "select value::double precision from headgate.v_check_results where name = %(name)s"
        " order by result_id desc limit 1",
        name=name,
    )
    return found


def test_a_night_after_a_lost_one_is_judged_by_what_should_be_there(db: Plan, codes: list[str]):
    assert not publish(db, WEDNESDAY)["is_published"], "nothing came"
    update(db, {x: [bar(THURSDAY)] for x in codes[:3]}, THURSDAY)
    row = publish(db, THURSDAY)

    assert (row["is_published"], row["failed_checks"]) == (False, ["bars_there"])
    assert value(db) == pytest.approx(3 / len(codes))


def test_listings_silent_for_weeks_are_still_expected(db: Plan, codes: list[str]):
    day = weekdays(WEDNESDAY, 25)[-1]
    update(db, {x: [bar(day)] for x in codes[:3]}, day)
    row = publish(db, day)

    assert not row["is_published"]
    assert value(db) == pytest.approx(3 / len(codes))


@pytest.mark.parametrize(("there", "is_published"), [(5, True), (4, False), (1, False), (0, False)])
def test_a_small_exchange_is_judged_too(db: Plan, there: int, is_published: bool):
    few = lisbon(db, 5)
    load(db, few)
    update(db, {x: [bar(WEDNESDAY)] for x in few[:there]})
    row = publish(db, WEDNESDAY)

    assert row["is_published"] == is_published
    assert value(db) == pytest.approx(there / 5)
    assert row["unjudged_checks"] == sorted(CHECKS - {"bars_there"}), "5 closes are no sample"


def test_only_listings_that_should_trade_count(db: Plan, codes: list[str]):
    new, rare, often, delisted, aside = lisbon(db, 35)[-5:]
    load(db, [new], BEFORE[-7:])
    load(db, [rare], BEFORE[-18::3])
    load(db, [often], BEFORE[-18::2])
    load(db, [delisted, aside])
    db.sql("update headgate.assets set is_active = false where code = %(code)s", code=aside)
    db.sql(
        "update equities.listings set valid = '(,2026-06-17)' where code = %(code)s", code=delisted
    )
    update(db, {x: [bar(WEDNESDAY)] for x in codes})
    publish(db, WEDNESDAY)

    expected = db.call("equities.expected_bars", p_group_key="LS", p_session=WEDNESDAY)
    ids = {x: y for y, x in enumerate([*codes, often])}
    rows = db.sql(
        "select code from headgate.assets where asset_id = any (%(ids)s)",
        ids=[x["asset_id"] for x in expected],
    )
    assert {x["code"] for x in rows} == ids.keys()
    assert value(db) == pytest.approx(len(codes) / (len(codes) + 1))


def test_where_nothing_is_expected_yet_the_checks_are_named_that_judged_nothing(db: Plan):
    load(db, lisbon(db, 30), [])
    row = publish(db, TUESDAY)

    assert (row["is_published"], row["unjudged_checks"]) == (True, ["bars_there"])
    assert value(db) is None


def test_each_exchange_is_judged_by_its_own_sessions(db: Plan, codes: list[str]):
    madrid = [x["code"] for x in db.sql("select code from headgate.assets where group_key = 'MC'")]
    load(db, [x for x in madrid if " " not in x][:25])
    update(db, {x: [bar(WEDNESDAY)] for x in codes})
    rows = published(db, f"{WEDNESDAY} 22:30+00")

    assert {x["group_key"]: x["is_published"] for x in rows} == {"LS": True, "MC": False}


def test_a_check_that_errs_publishes_nothing(db: Plan, codes: list[str]):
    update(db, {x: [bar(WEDNESDAY)] for x in codes})
    db.sql("drop function equities.session_bars(text, date)")
    row = publish(db, WEDNESDAY)

    assert not row["is_published"]
    assert row["failed_checks"] == sorted(CHECKS - {"bars_there"})
    assert "bars_believed: function equities.session_bars" in db.sql(OPEN)[0]["message"]
