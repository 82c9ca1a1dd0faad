"""A year and a half of real lists of NASDAQ, week by week: additions, removals, renames."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import date, timedelta
from typing import Any

import pytest

from headgate.demo.eodhd.market import listings
from tests.acceptance.real import needs, rows
from tests.plan import Plan

EVENTS, CHANGES = "listing_history/listing_events.csv.gz", "listing_history/symbol_changes.csv.gz"
Events = dict[str, list[dict[str, str]]]
pytestmark = needs(EVENTS, CHANGES)


@pytest.fixture
def db(small_db: Plan) -> Plan:
    return small_db


def test_renames_keep_their_asset_and_delisted_ones_stay(db: Plan):
    by_week, names, lists = read()
    weeks = sorted(by_week)
    ids = make_listings(db, names)
    for week in weeks:
        take(db, week, lists[week])

    refused = "select count(*) from equities.symbol_lists where is_refused"
    assert db.scalar(refused) == 0, "no week has taken 2 % of the listings away"
    check_renames(db, ids)
    check_delisted(db, by_week, ids, lists[weeks[-1]])


def test_a_month_at_once_may_take_more_than_two_percent_away_and_is_refused(db: Plan):
    by_month, names, lists = read(weekly=False)
    months = sorted(by_month)
    make_listings(db, names)
    for month in months[:3]:
        take(db, month, lists[month])

    first, second, third = db.sql("select * from equities.symbol_lists order by taken_at")
    gone = 1 - len(lists[months[1]].keys() & lists[months[0]].keys()) / len(lists[months[0]])
    assert 0.02 < gone < 0.03, "95 removals in November 2024"
    assert [x["is_refused"] for x in (first, second, third)] == [False, True, True]
    db.sql("update equities.settings set value = 0.06 where name = 'most_listings_gone'")
    take(db, "2025-01-02", lists[months[2]])
    (last,) = db.sql("select * from equities.symbol_lists order by taken_at desc limit 1")
    assert (last["is_refused"], last["renamed"] >= 5) == (False, True)


def read(*, weekly: bool = True) -> tuple[Events, dict[str, str], dict[str, dict[str, str]]]:
    """Return events by list, the names by symbol before them, and each list.

    The files hold the changes from month to month. Each list has enough other symbols to reach the size of the
    shipped list of NASDAQ. A month's removals and additions are spread over its weeks; renames are in its last week.
    """
    months: Events = defaultdict(list)
    for row in rows(EVENTS):
        if row["listing"] == "nasdaq":
            months[row["snapshot_date"]].append(row)
    names: dict[str, str] = {}
    seen = set()
    for month in sorted(months):
        for row in months[month]:
            if row["symbol"] not in seen and row["event"] != "added":
                names[row["symbol"]] = row["old_value"] or row["name"]
            seen.add(row["symbol"])
    shipped = sum(x.exchange == "NASDAQ" for x in listings().values())
    grown = sum({"added": 1, "removed": -1}.get(x["event"], 0) for y in months.values() for x in y)
    for number in range(shipped - grown - len(names)):
        names[f"STEADY{number}"] = f"Steady Company {number}"
    by_list = _by_week(months) if weekly else months
    lists: dict[str, dict[str, str]] = {}
    now = dict(names)
    for day in sorted(by_list):
        for row in by_list[day]:
            if row["event"] == "removed":
                now.pop(row["symbol"], None)
            else:
                now[row["symbol"]] = row["name"]
        lists[day] = dict(now)
    return by_list, names, lists


def _by_week(months: Events) -> Events:
    """Spread each month's events over its weekly lists; events of one rename stay together."""
    renamed = {x for row in rows(CHANGES) for x in (row["old_symbol"], row["new_symbol"])}
    weeks: Events = defaultdict(list)
    for month, events in months.items():
        end, begin = date.fromisoformat(month), date.fromisoformat(events[0]["previous_snapshot"])
        days = [end - timedelta(days=7 * x) for x in range((end - begin).days // 7 or 1)]
        for number, row in enumerate(events):
            is_whole = row["symbol"] in renamed or row["event"] not in ("removed", "added")
            weeks[(end if is_whole else days[number % len(days)]).isoformat()].append(row)
        weeks[month] = weeks[month]
    return weeks


def make_listings(db: Plan, names: dict[str, str]) -> dict[str, int]:
    """Turn the first list's symbols into our listings; return their assets."""
    db.call("upsert_assets", p_universe="equities_exchanges", p_assets=one("NQ"))
    listed = [
        {"code": f"{x}.NQ", "group_key": "NQ", "attributes": {"name": y}} for x, y in names.items()
    ]
    db.call("upsert_assets", p_universe="equities", p_assets=json.dumps(listed))
    db.sql(
        "insert into equities.listings (asset_id, valid, code, group_key, name) "
        "select asset_id, daterange(null, null), code, group_key, attributes ->> 'name' "
        "from headgate.assets where group_key = 'NQ' and universe = 'equities'"
    )
    found = db.sql("select asset_id, code from headgate.assets where group_key = 'NQ'")
    return {x["code"].removesuffix(".NQ"): x["asset_id"] for x in found}


def one(group: str) -> str:
    return json.dumps([{"code": group, "group_key": group}])


def take(db: Plan, month: str, names: dict[str, str]) -> None:
    """Ingest a list."""
    answer: list[dict[str, Any]] = [{"Code": x, "Name": y, "Isin": None} for x, y in names.items()]
    db.call(
        "equities.ingest_symbol_list",
        p_context={"now": f"{month} 12:00+00"},
        p_asset_ids=[db.value("find_asset", p_universe="equities_exchanges", p_code="NQ")],
        p_payloads=[json.dumps(answer)],
    )


def check_renames(db: Plan, ids: dict[str, int]) -> None:
    """Check that each rename in the source is a rename here, of the same asset."""
    dated = db.sql("select asset_id, code, lower(valid)::text as since from equities.listings")
    begun = {(x["asset_id"], x["code"].removesuffix(".NQ"), x["since"]) for x in dated}
    renames = [x for x in rows(CHANGES) if x["listing"] == "nasdaq" and x["old_symbol"] in ids]
    kept = [
        x for x in renames if (ids[x["old_symbol"]], x["new_symbol"], x["snapshot_date"]) in begun
    ]
    assert len(renames) > 20
    assert kept == renames


def check_delisted(
    db: Plan,
    by_week: Events,
    ids: dict[str, int],
    last: dict[str, str],
) -> None:
    """Check that removed listings are found under their code as of the day before, and not after."""
    weeks = sorted(by_week)
    renamed = {x["old_symbol"] for x in rows(CHANGES)}
    gone = {
        x["symbol"]
        for week in weeks[20:24]
        for x in by_week[week]
        if x["event"] == "removed" and x["symbol"] in ids and x["symbol"] not in renamed
        if not any(y["symbol"] == x["symbol"] for z in weeks if z > week for y in by_week[z])
    }
    before = {x["ticker"] for x in db.call("equities.listings_as_of", p_date=weeks[19])}
    after = {x["ticker"] for x in db.call("equities.listings_as_of", p_date=weeks[23])}
    assert len(gone) > 10
    assert {f"{x}.NQ" for x in gone} <= before
    assert not {f"{x}.NQ" for x in gone} & after
    active = "select count(*) from headgate.assets where not is_active and code = any (%(codes)s)"
    assert db.scalar(active, codes=[f"{x}.NQ" for x in gone]) == len(gone)
    assert not gone & last.keys()
