"""Real filings in the order of their arrival: no day sees later ones."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from tests.acceptance.real import needs, rows
from tests.plan import Plan

FILINGS = "us_filings/filings.csv.gz"
SYMBOLS = 40
pytestmark = needs(FILINGS)

Told = dict[str, dict[str, dict[str, str]]]  # frequency -> period end -> figures


def test_a_day_sees_exactly_the_filings_that_had_arrived(db: Plan):
    filings = read()
    listed = [{"code": f"{x}.FIL", "group_key": "FIL"} for x in filings]
    db.call("upsert_assets", p_universe="equities", p_assets=json.dumps(listed))
    ids = {x: db.value("find_asset", p_universe="equities", p_code=f"{x}.FIL") for x in filings}
    days = sorted({row["first_seen"] for x in filings.values() for row in x})
    for day in days:
        arrived = [x for x in filings if any(y["first_seen"] == day for y in filings[x])]
        db.call(
            "equities.ingest_fundamentals",
            p_context={"now": f"{day} 12:00+00"},
            p_asset_ids=[ids[x] for x in arrived],
            p_payloads=[json.dumps(answer(filings[x], day)) for x in arrived],
        )

    for day in days[::25]:
        known = {
            x["asset_id"]: x["payload"] for x in db.call("equities.fundamentals_as_of", p_date=day)
        }
        for symbol, asset in ids.items():
            told = answer(filings[symbol], day)
            assert known.get(asset, answer([], day)) == told, (symbol, day)

    restated = 0
    for symbol in ids:
        versions = db.call("equities.reported_periods", p_ticker=f"{symbol}.FIL")
        restated += sum(x["known_to"] is not None for x in versions)
        arrivals = {x["first_seen"] for x in filings[symbol]}
        assert {x["known_from"].date().isoformat() for x in versions} <= arrivals
    assert restated >= SYMBOLS, "each of these companies has restated something"


def read() -> dict[str, list[dict[str, str]]]:
    """Read all filings of companies that restated a period."""
    by_symbol: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows(FILINGS):
        by_symbol[row["symbol"]].append(row)
    return {x: y for x, y in by_symbol.items() if restates(y)} and dict(
        [(x, y) for x, y in sorted(by_symbol.items()) if restates(y)][:SYMBOLS]
    )


def restates(filings: list[dict[str, str]]) -> bool:
    """Return whether a period was reported again on a later day, with other figures."""
    seen: dict[tuple[str, str], dict[str, str]] = {}
    for row in filings:
        key = (row["period_focus"], row["end_date"])
        before = seen.setdefault(key, row)
        if before["first_seen"] < row["first_seen"] and figures(before) != figures(row):
            return True
    return False


def figures(row: dict[str, str]) -> dict[str, str]:
    """Return the figures of a filing."""
    return {x: row[x] for x in ("revenues", "net_income", "eps_basic", "assets", "equity")}


def answer(filings: list[dict[str, str]], day: str) -> dict[str, Any]:
    """Return the provider's answer about a company on a day."""
    told: Told = {"quarterly": {}, "yearly": {}}
    for row in filings:
        if row["first_seen"] <= day:
            frequency = "yearly" if row["period_focus"] == "FY" else "quarterly"
            told[frequency][row["end_date"]] = figures(row)
    if not any(told.values()):
        return {}
    return {"General": {"Type": "Common Stock"}, "Financials": {"Income_Statement": told}}
