"""equities.ingest_symbol_list: renames keep their asset, delisted ones stay, short lists are refused."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from tests.db.plans.equities.feed import asset_id, bar, ingest_prices
from tests.plan import Plan, Row

DAYS = ["2026-06-01 21:00+00", "2026-06-08 21:00+00", "2026-06-15 21:00+00"]


@pytest.fixture
def listed(db: Plan) -> list[Row]:
    """Watch Lisbon; return its list as it should be."""
    db.call(
        "upsert_assets",
        p_universe="equities_exchanges",
        p_assets='[{"code":"LS","group_key":"LS"}]',
    )
    db.sql("update headgate.asset_processing_state set next_due_at = null")
    rows = db.sql(
        "select code, attributes from headgate.assets "
        "where universe = 'equities' and group_key = 'LS' order by code"
    )
    return [
        {
            "Code": x["code"].removesuffix(".LS"),
            "Name": x["attributes"]["name"],
            "Isin": x["attributes"].get("isin"),
            "Type": x["attributes"]["type"],
            "Currency": "EUR",
        }
        for x in rows
    ]


def take(plan: Plan, answer: list[Row], day: str = DAYS[0]) -> Row:
    """Hand in a list; return what was made of it."""
    exchange = plan.value("find_asset", p_universe="equities_exchanges", p_code="LS")
    (result,) = plan.call(
        "equities.ingest_symbol_list",
        p_context={"now": day},
        p_asset_ids=[exchange],
        p_payloads=[json.dumps(answer)],
    )
    (row,) = plan.sql("select * from equities.symbol_lists order by taken_at desc limit 1")
    return {**row, "status": result["status"], "reason": result["reason"]}


def without(listed: list[Row], *codes: str) -> list[Row]:
    return [x for x in listed if x["Code"] not in codes]


def changed(listed: list[Row], symbol: str, **changes: Any) -> list[Row]:
    return [{**x, **changes} if x["Code"] == symbol else x for x in listed]


def as_of(plan: Plan, day: str, asset: int) -> list[str]:
    rows = plan.call("equities.listings_as_of", p_date=day)
    return [x["ticker"] for x in rows if x["asset_id"] == asset]


def test_the_same_list_changes_nothing(db: Plan, listed: list[Row]):
    row = take(db, [*listed, {"Code": "NEW", "Name": "Nobody asked for it", "Isin": None}])

    assert (row["status"], row["known"], row["vanished"], row["renamed"]) == ("success", 74, 0, 0)
    assert db.scalar("select count(*) from headgate.assets where code = 'NEW.LS'") == 0


@pytest.mark.parametrize("changes", [{}, {"Name": "Another Name"}, {"Isin": None}])
def test_a_renamed_listing_keeps_its_asset_and_its_bars(
    db: Plan, listed: list[Row], changes: dict[str, Any]
):
    asset = asset_id(db, "EDP.LS")
    ingest_prices(db, {"EDP.LS": [bar("2026-05-29")]})
    row = take(db, changed(listed, "EDP", Code="EDPX", **changes))

    assert row["renamed"] == 1
    assert asset_id(db, "EDPX.LS") == asset
    assert as_of(db, "2026-05-31", asset) == ["EDP.LS"]
    assert as_of(db, "2026-06-01", asset) == ["EDPX.LS"]
    assert db.scalar("select count(*) from equities.prices where asset_id = %(x)s", x=asset) == 1


def test_a_listing_that_one_list_lacks_is_missing_and_that_two_lack_is_delisted(
    db: Plan, listed: list[Row]
):
    asset = asset_id(db, "EDP.LS")
    active = "select is_active from headgate.assets where asset_id = %(x)s"

    assert take(db, without(listed, "EDP"))["delisted"] == 0
    assert db.scalar(active, x=asset)
    assert take(db, without(listed, "EDP"), DAYS[1])["delisted"] == 1
    assert not db.scalar(active, x=asset)
    assert as_of(db, "2026-05-31", asset) == ["EDP.LS"], "the past stays"
    assert as_of(db, "2026-06-01", asset) == [], "since the first list without it"
    assert take(db, listed, DAYS[2])["relisted"] == 1
    assert as_of(db, "2026-06-10", asset) == []
    assert as_of(db, "2026-06-15", asset) == ["EDP.LS"]


def test_a_listing_that_is_back_in_the_next_list_was_never_away(db: Plan, listed: list[Row]):
    take(db, without(listed, "EDP"))
    take(db, listed, DAYS[1])
    row = take(db, without(listed, "EDP"), DAYS[2])

    assert (row["delisted"], row["relisted"]) == (0, 0)


def test_a_code_that_means_another_company_begins_a_listing_of_its_own(db: Plan, listed: list[Row]):
    old = asset_id(db, "EDP.LS")
    row = take(db, changed(listed, "EDP", Name="Electric Dreams", Isin="PTXXX0000001"))
    new = asset_id(db, "EDP.LS")

    assert row["reused"] == 1
    assert new != old == asset_id(db, "EDP_old.LS")
    assert as_of(db, "2026-05-31", old) == ["EDP.LS"]
    assert as_of(db, "2026-06-02", new) == ["EDP.LS"]
    assert as_of(db, "2026-06-02", old) == []


def test_a_list_that_has_shrunk_is_refused_with_one_alert(db: Plan, listed: list[Row]):
    take(db, listed)
    for day in DAYS[1:]:
        row = take(db, listed[2:], day)
        assert (row["status"], row["is_refused"], row["delisted"]) == ("skipped", True, 0)
    alerts = "select message from headgate.v_alerts where subject = 'symbol list LS'" + (
        " and resolved_at is null"
    )

    (alert,) = db.sql(alerts)
    assert alert["message"].startswith("the list of LS has 72 symbols (before: 74) and lacks 2")
    assert db.scalar("select count(*) from equities.missing_symbols") == 0
    take(db, listed, "2026-06-22 21:00+00")
    assert db.sql(alerts) == []


def test_renames_and_what_was_missing_before_are_no_shrinking(db: Plan, listed: list[Row]):
    first, second, *_ = [x["Code"] for x in listed if x["Isin"]]
    take(db, without(listed, first))
    row = take(db, changed(without(listed, first), second, Code="RENAMED"), DAYS[1])

    assert (row["vanished"], row["is_refused"]) == (2, False), "2 of 74 are more than 2 %"
    assert (row["delisted"], row["renamed"]) == (1, 1)


def test_two_listings_cannot_have_one_code_on_one_day(db: Plan):
    with pytest.raises(psycopg.errors.ExclusionViolation):
        db.sql(
            "insert into equities.listings (asset_id, valid, code, group_key) values "
            "(-1, '[2020-01-01,2021-01-01)', 'X.LS', 'LS'), (-2, '[2020-12-31,)', 'X.LS', 'LS')"
        )
