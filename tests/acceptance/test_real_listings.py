"""Two years of real lists of NASDAQ, month by month: additions, removals, renames."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from tests.acceptance.real import needs, rows
from tests.plan import Plan

EVENTS, CHANGES = "listing_history/listing_events.csv.gz", "listing_history/symbol_changes.csv.gz"
STEADY = 500
pytestmark = needs(EVENTS, CHANGES)


def test_renames_keep_their_asset_and_delisted_ones_stay(db: Plan):
    by_month, names, lists = read()
    months = sorted(by_month)
    ids = make_listings(db, names)
    # A month's list, of hardly any but those that came or went: far more may be gone from it.
    db.sql("update equities.settings set value = 0.5 where name = 'most_listings_gone'")
    for month in months:
        names = lists[month]
        take(db, month, names)

    assert db.scalar("select count(*) from equities.symbol_lists where not is_refused") == len(
        months
    )
    check_renames(db, ids)
    check_delisted(db, by_month, ids, lists[months[-1]])


def read() -> tuple[dict[str, list[dict[str, str]]], dict[str, str], dict[str, dict[str, str]]]:
    """Return events by month, the names by symbol before them, and the list of each month."""
    by_month: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows(EVENTS):
        if row["listing"] == "nasdaq":
            by_month[row["snapshot_date"]].append(row)
    names = {f"STEADY{x}": f"Steady Company {x}" for x in range(STEADY)}
    seen = set()
    for month in sorted(by_month):
        for row in by_month[month]:
            if row["symbol"] not in seen and row["event"] != "added":
                names[row["symbol"]] = row["old_value"] or row["name"]
            seen.add(row["symbol"])
    lists: dict[str, dict[str, str]] = {}
    now = dict(names)
    for month in sorted(by_month):
        for row in by_month[month]:
            if row["event"] == "removed":
                now.pop(row["symbol"], None)
            else:
                now[row["symbol"]] = row["name"]
        lists[month] = dict(now)
    return by_month, names, lists


def make_listings(db: Plan, names: dict[str, str]) -> dict[str, int]:
    """Make the first list's symbols our listings; return their assets."""
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
    """Hand in a month's list."""
    answer: list[dict[str, Any]] = [{"Code": x, "Name": y, "Isin": None} for x, y in names.items()]
    db.call(
        "equities.ingest_symbol_list",
        p_context={"now": f"{month} 12:00+00"},
        p_asset_ids=[db.value("find_asset", p_universe="equities_exchanges", p_code="NQ")],
        p_payloads=[json.dumps(answer)],
    )


def check_renames(db: Plan, ids: dict[str, int]) -> None:
    """Each rename that the source found is ours, by the same asset."""
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
    by_month: dict[str, list[dict[str, str]]],
    ids: dict[str, int],
    last: dict[str, str],
) -> None:
    """What was removed is found under its code as of the day before, and not after."""
    months = sorted(by_month)
    renamed = {x["old_symbol"] for x in rows(CHANGES)}
    month = months[5]
    gone = {
        x["symbol"]
        for x in by_month[month]
        if x["event"] == "removed" and x["symbol"] in ids and x["symbol"] not in renamed
        if not any(y["symbol"] == x["symbol"] for z in months[6:] for y in by_month[z])
    }
    before = {x["ticker"] for x in db.call("equities.listings_as_of", p_date=months[4])}
    after = {x["ticker"] for x in db.call("equities.listings_as_of", p_date=month)}
    assert len(gone) > 10
    assert {f"{x}.NQ" for x in gone} <= before
    assert not {f"{x}.NQ" for x in gone} & after
    active = "select count(*) from headgate.assets where not is_active and code = any (%(codes)s)"
    assert db.scalar(active, codes=[f"{x}.NQ" for x in gone]) == len(gone)
    assert not gone & last.keys()
