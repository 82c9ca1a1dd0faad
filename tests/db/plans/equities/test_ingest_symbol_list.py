"""equities.ingest_symbol_list: renamed listings keep their asset, delisted ones stay, short lists are refused."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from tests.db.plans.equities.feed import asset_id, bar, ingest_prices
from tests.plan import Plan, Row

DAYS = ["2026-06-01 21:00+00", "2026-06-08 21:00+00", "2026-06-15 21:00+00"]


@pytest.fixture
def db(small_db: Plan) -> Plan:
    return small_db


@pytest.fixture
def listed(db: Plan) -> list[Row]:
    """Watch Lisbon; return its expected list."""
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
    """Ingest a list; return the result."""
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


def test_renames_and_what_was_missing_before_are_not_shrinking(db: Plan, listed: list[Row]):
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


def upsert(plan: Plan, code: str, **attributes: str) -> int:
    """Add a listing as an operator does; return its asset."""
    asset = {"code": code, "group_key": "LS", "calendar": "XLIS", "attributes": attributes}
    plan.call("upsert_assets", p_universe="equities", p_assets=json.dumps([asset]))
    return asset_id(plan, code)


def test_a_listing_that_was_added_by_hand_is_listed_delisted_and_back(db: Plan, listed: list[Row]):
    asset = upsert(db, "NEW.LS", name="New Listing")
    new = {"Code": "NEW", "Name": "New Listing", "Isin": None}
    assert as_of(db, "2026-05-31", asset) == ["NEW.LS"], "before any list"

    take(db, listed)
    assert take(db, listed, DAYS[1])["delisted"] == 1
    assert as_of(db, "2026-06-10", asset) == []
    assert take(db, [*listed, new], DAYS[2])["relisted"] == 1
    assert as_of(db, "2026-06-15", asset) == ["NEW.LS"]
    assert db.scalar("select is_active from headgate.assets where asset_id = %(x)s", x=asset)


def test_each_run_notes_what_has_come(db: Plan, listed: list[Row]):
    asset = upsert(db, "NEW.LS", name="New Listing")
    run = {"p_pipeline": "data_collection_equities", "p_run_id": "r"}
    db.call("start_execution", **run)
    db.call("equities.publish_prices", **run)

    noted = "select code, valid::text, name from equities.listings where asset_id = %(x)s"
    assert db.sql(noted, x=asset) == [{"code": "NEW.LS", "valid": "(,)", "name": "New Listing"}]


def test_a_code_that_was_given_up_is_the_next_listing_s_from_then_on(db: Plan, listed: list[Row]):
    old = asset_id(db, "EDP.LS")
    take(db, changed(listed, "EDP", Code="EDPX"))
    new = upsert(db, "EDP.LS", name="Electric Dreams")

    assert (as_of(db, "2026-05-31", old), as_of(db, "2026-05-31", new)) == (["EDP.LS"], [])
    assert (as_of(db, "2026-06-01", old), as_of(db, "2026-06-01", new)) == (["EDPX.LS"], ["EDP.LS"])


def test_codes_that_were_changed_by_hand_are_noted_from_that_day_on(db: Plan, listed: list[Row]):
    one, other = asset_id(db, "EDP.LS"), asset_id(db, "GALP.LS")
    db.call("equities.note_listings")
    for asset, code in ((one, "X.LS"), (other, "EDP.LS"), (one, "GALP.LS")):
        db.call("rename_asset", p_asset_id=asset, p_code=code)
    db.freeze_clock("2026-06-03 12:00+00")
    db.call("equities.note_listings")

    assert (as_of(db, "2026-06-02", one), as_of(db, "2026-06-02", other)) == (
        ["EDP.LS"],
        ["GALP.LS"],
    )
    assert (as_of(db, "2026-06-03", one), as_of(db, "2026-06-03", other)) == (
        ["GALP.LS"],
        ["EDP.LS"],
    )


@pytest.mark.parametrize(
    ("before", "after", "back_on", "is_new"),
    [
        ({"Isin": "US0000000001"}, {"Isin": "US0000000002", "Name": "Rockets"}, "06-15", True),
        ({"Isin": "US0000000001"}, {"Isin": "US0000000001", "Name": "Rockets"}, "07-20", False),
        ({"Isin": "US0000000001"}, {"Isin": "US0000000002", "Name": "Sp. Etf"}, "07-20", False),
        ({"Isin": "US0000000001"}, {"Name": "Rockets"}, "07-20", True),
        ({}, {"Isin": "US0000000002", "Name": "Rockets"}, "07-20", True),
        ({}, {"Name": "Rockets"}, "06-10", True),
        ({}, {"Name": "Rockets"}, "06-08", False),
        ({}, {"Name": "SP ETF"}, "07-20", False),
        ({"Isin": "US0000000001"}, {"Isin": "US0000000001"}, "07-20", False),
    ],
)
def test_a_code_that_comes_back_after_its_delisting_is_the_old_company_s_or_another_s(
    db: Plan,
    listed: list[Row],
    before: dict[str, str],
    after: dict[str, str],
    back_on: str,
    is_new: bool,
):
    old = upsert(db, "SPCX.LS", name="Sp Etf")
    first = {"Code": "SPCX", "Name": "Sp Etf", "Isin": None}
    take(db, [*listed, {**first, **before}], "2026-05-25 21:00+00")
    for day in ("2026-06-01 21:00+00", "2026-06-07 21:00+00"):
        take(db, listed, day)
    day = f"2026-{back_on} 21:00+00"
    row = take(db, [*listed, {**first, **after}], day)

    assert (row["reused"], row["relisted"]) == ((1, 0) if is_new else (0, 1))
    now = asset_id(db, "SPCX.LS")
    assert (now != old) == is_new
    assert as_of(db, "2026-05-31", old) == ["SPCX.LS"]
    assert as_of(db, day, now) == ["SPCX.LS"]
    if is_new:
        assert asset_id(db, "SPCX_old.LS") == old
        assert as_of(db, day, old) == []
        isin = "select attributes ->> 'isin' from headgate.assets where asset_id = %(x)s"
        assert db.scalar(isin, x=now) == after.get("Isin")
    again = take(db, [*listed, {**first, **after}], "2026-08-03 21:00+00")
    assert (again["reused"], again["relisted"], again["vanished"]) == (0, 0, 0)


def test_a_listing_of_ours_that_is_renamed_to_a_dead_company_s_code_keeps_its_asset(
    db: Plan, listed: list[Row]
):
    old, ours = upsert(db, "META.LS", name="An Etf"), asset_id(db, "EDP.LS")
    for day in ("2026-05-04 21:00+00", "2026-05-11 21:00+00"):
        take(db, listed, day)
    row = take(db, changed(listed, "EDP", Code="META"))

    assert (row["reused"], row["renamed"], row["delisted"]) == (1, 1, 0)
    assert (asset_id(db, "META.LS"), asset_id(db, "META_old.LS")) == (ours, old)
    assert (as_of(db, "2026-05-31", ours), as_of(db, "2026-06-01", ours)) == (
        ["EDP.LS"],
        ["META.LS"],
    )
    assert db.scalar("select count(*) from headgate.assets where code like 'META%%.LS'") == 2
