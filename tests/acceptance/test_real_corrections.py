"""Real bars as first published and as corrected, real splits and dividends, day by day."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.acceptance.real import needs, rows
from tests.plan import Plan, Row

BARS, ACTIONS = "us_eod_bitemporal/eod.csv.gz", "us_corporate_actions/actions.csv.gz"
START, FIRST, LAST = "2015-05-01", "2015-06-15", "2015-09-15"
MOST = 10
OVERLAP = 5

pytestmark = needs(BARS, ACTIONS)


@pytest.fixture
def db(small_db: Plan) -> Plan:
    return small_db


@dataclass
class Provider:
    """Answers of the provider of the files, as of a day."""

    bars: dict[str, list[dict[str, str]]]
    actions: dict[str, list[dict[str, str]]]
    sessions: list[str]
    ids: dict[str, int] = field(default_factory=dict)

    def answer(self, symbol: str, day: str, since: str = START) -> list[Row]:
        """Return a listing's bars as of a day, adjusted for the actions so far."""
        known = [x for x in self.actions[symbol] if max(x["ex_date"], x["first_seen"]) <= day]
        found = []
        for row in self.bars[symbol]:
            if row["first_seen"] > day or row["date"] < since:
                continue
            again = row["seen_again"] and row["seen_again"] <= day
            close = float((again and row["close_2"]) or row["close"])
            factor = 1.0
            for action in known:
                factor *= float(action["factor"]) if action["ex_date"] > row["date"] else 1.0
            found.append(
                {
                    "date": row["date"],
                    **{x: float(row[x]) for x in ("open", "high", "low")},
                    "close": close,
                    "adjusted_close": close * factor,
                    "volume": int((again and row["volume_2"]) or row["volume"]),
                }
            )
        return found


def test_final_prices_are_the_last_word_and_every_correction_and_split_is_recorded(db: Plan):
    provider = read(db)
    days = [x for x in provider.sessions if FIRST <= x <= LAST]
    load(db, provider, sorted(provider.ids), days[0])
    db.sql("update headgate.asset_processing_state set succeeded_at = '2015-06-15'")
    for day in days[1:]:
        replay(db, provider, day)

    check_prices(db, provider, days[-1])
    check_revisions(db, provider, days, more_than=20)
    check_splits(db, provider, days)


def read(db: Plan) -> Provider:
    """Read the symbols with a split between two days, and make them listings."""
    actions: dict[str, list[dict[str, str]]] = defaultdict(list)
    split = set()
    for row in rows(ACTIONS):
        actions[row["symbol"]].append(row)
        if row["kind"] == "split" and FIRST < row["first_seen"] <= LAST and row["ex_date"] > FIRST:
            split.add(row["symbol"])
    bars: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows(BARS):
        if row["symbol"] in split and START <= row["date"] <= LAST:
            bars[row["symbol"]].append(row)
    chosen = [x for x in sorted(bars) if bars[x][0]["date"] < FIRST][:MOST]
    sessions = db.sql(
        "select session::text as day from headgate.trading_sessions "
        "where calendar = 'XNYS' and session between %(a)s and %(b)s order by 1",
        a=START,
        b=LAST,
    )
    listed = [{"code": f"{x}.US", "group_key": "US", "calendar": "XNYS"} for x in chosen]
    db.call("upsert_assets", p_universe="equities", p_assets=json.dumps(listed))
    ids = {x: db.value("find_asset", p_universe="equities", p_code=f"{x}.US") for x in chosen}
    provider = Provider(bars, actions, [x["day"] for x in sessions], ids)
    assert len(chosen) > 4
    return provider


def replay(db: Plan, provider: Provider, day: str) -> None:
    """Do what an evening's run does: load actions, overlapping bars, and requested histories."""
    now = at(db, day)
    told = [
        {"code": x, "date": row["ex_date"], "split": row["split_ratio"]}
        if row["kind"] == "split"
        else {"code": x, "date": row["ex_date"], "dividend": row["implied_dividend"]}
        for x in provider.ids
        for row in provider.actions[x]
        if row["first_seen"] == day and row["ex_date"] <= day and row["kind"] != "other"
    ]
    session = db.value("find_asset", p_universe="equities_days", p_code=f"US {day}")
    call(db, "ingest_actions", now, {session: told})
    since = provider.sessions[max(0, provider.sessions.index(day) - OVERLAP)]
    answers = {y: provider.answer(x, day, since) for x, y in provider.ids.items()}
    call(db, "ingest_prices", now, answers)
    due = db.sql(
        "select a.asset_id from headgate.v_asset_states as a where a.operation = "
        "'prices_historical' and a.next_due_at <= %(now)s and a.asset_id = any (%(ids)s)",
        now=now,
        ids=[*provider.ids.values()],
    )
    names = {y: x for x, y in provider.ids.items()}
    if due:
        load(db, provider, [names[x["asset_id"]] for x in due], day)


def load(db: Plan, provider: Provider, symbols: list[str], day: str) -> None:
    """Load whole histories, and note them as done."""
    ids = [provider.ids[x] for x in symbols]
    answers = {provider.ids[x]: provider.answer(x, day) for x in symbols}
    db.sql(
        "update headgate.asset_processing_state as s set next_due_at = null "
        "from headgate.operations as o where o.operation_id = s.operation_id "
        "and o.name = 'prices_historical' and s.asset_id = any (%(ids)s)",
        ids=ids,
    )
    for result in call(db, "ingest_history", at(db, day), answers):
        assert result["status"] == "success", result


def at(db: Plan, day: str) -> str:
    """Move the clock to an evening."""
    now = f"{day} 23:00:00+00"
    db.freeze_clock(now)
    return now


def call(db: Plan, function: str, now: str, answers: dict[int, Any]) -> list[Row]:
    return db.call(
        f"equities.{function}",
        p_context={"now": now, "run_id": now},
        p_asset_ids=list(answers),
        p_payloads=[json.dumps(x) for x in answers.values()],
    )


def check_prices(db: Plan, provider: Provider, day: str, since: str = START) -> None:
    """Check that each bar is the file's latest value as of then, adjusted for all actions so far."""
    for symbol, asset in provider.ids.items():
        stored = db.sql("select * from equities.prices where asset_id = %(x)s", x=asset)
        apart = db.sql(
            "select date from equities.prices_quarantine where asset_id = %(x)s", x=asset
        )
        said = {x["date"]: x for x in provider.answer(symbol, day, since)}
        assert {str(x["date"]) for x in [*stored, *apart]} == said.keys(), symbol
        for row in stored:
            last = said[str(row["date"])]
            assert all(row[x] == last[x] for x in ("open", "high", "low", "close", "volume"))
            assert abs(row["adjusted_close"] / last["adjusted_close"] - 1) < 1e-6, (symbol, row)


def check_revisions(db: Plan, provider: Provider, days: list[str], *, more_than: int) -> None:
    """Check that bars that were published and then corrected are in the revisions as first published."""
    expected = {
        (provider.ids[x], row["date"], float(row["close"]), int(row["volume"]))
        for x in provider.ids
        for row in provider.bars[x]
        if (row["close_2"] or row["volume_2"])
        and days[0] < row["seen_again"] <= days[-1]
        and row["first_seen"] < row["seen_again"]
        and int(row["volume"]) > 0
        and int(row["volume_2"] or 1) > 0
    }
    found = db.sql("select asset_id, date::text, close, volume from equities.bar_revisions")
    assert len(expected) > more_than
    assert {tuple(x.values()) for x in found} == expected


def check_splits(db: Plan, provider: Provider, days: list[str]) -> None:
    """Check that each split reloaded its history once, on the day it was reported."""
    splits = {
        (provider.ids[x], row["first_seen"])
        for x in provider.ids
        for row in provider.actions[x]
        if row["kind"] == "split" and days[0] < row["ex_date"] <= row["first_seen"] <= days[-1]
    }
    reloads = db.sql(
        "select asset_id, reloaded_at::date::text as day from equities.history_reloads"
    )
    found = [tuple(x.values()) for x in reloads]
    assert len(found) == len(set(found))
    assert splits <= set(found)
    assert (
        db.scalar("select count(*) from equities.corporate_actions where applied_at is null") == 0
    )
