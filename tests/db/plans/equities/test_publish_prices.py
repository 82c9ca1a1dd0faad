"""equities.publish_prices: what stands the checks is shown, else yesterday's data and one alert."""

from __future__ import annotations

from typing import Any

import pytest

from tests.db.plans.equities.feed import bar, ingest, ingest_prices
from tests.plan import Plan, Row

MONDAY, TUESDAY, WEDNESDAY = "2026-06-15", "2026-06-16", "2026-06-17"
STEP = {"p_pipeline": "data_collection_equities", "p_run_id": "r1"}
OPEN = """
select severity, subject, message from headgate.v_alerts
where subject like 'prices %%' and resolved_at is null
"""


@pytest.fixture
def codes(db: Plan) -> list[str]:
    """Load 30 listings of Lisbon up to Tuesday; Tuesday is published."""
    rows = db.sql("select code from headgate.assets where group_key = 'LS' order by code limit 30")
    codes = [x["code"] for x in rows if " " not in x["code"]]
    answers = {code: [bar(MONDAY), bar(TUESDAY, close=10)] for code in codes}
    ingest(db, "ingest_history", answers, f"{TUESDAY} 22:00+00")
    assert publish(db, TUESDAY)["is_published"]
    return codes


def publish(plan: Plan, day: str, hour: str = "22:30") -> Row:
    plan.freeze_clock(f"{day} {hour}+00")
    (row,) = plan.call("equities.publish_prices", **STEP)
    return row


def shown(plan: Plan, code: str) -> dict[str, float]:
    rows = plan.sql(
        "select date::text, close from equities.v_published_prices where ticker = %(code)s "
        "order by 1",
        code=code,
    )
    return {x["date"]: x["close"] for x in rows}


def update(plan: Plan, answers: dict[str, list[Row]]) -> None:
    ingest_prices(plan, answers, f"{WEDNESDAY} 22:00+00")


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


def test_what_comes_late_is_published_and_ends_the_alert(db: Plan, codes: list[str]):
    update(db, {x: [bar(WEDNESDAY)] for x in codes[:10]})
    publish(db, WEDNESDAY)
    update(db, {x: [bar(WEDNESDAY)] for x in codes})

    assert publish(db, WEDNESDAY, "23:30")["is_published"]
    assert db.sql(OPEN) == []
    assert list(shown(db, codes[-1])) == [MONDAY, TUESDAY, WEDNESDAY]


def test_a_threshold_is_the_operator_s(db: Plan, codes: list[str]):
    db.sql("update equities.checks set severity = 'warning' where name = 'bars_there'")
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
    assert db.call("equities.publish_prices", **STEP) == []
