"""Answers in EODHD's format, and calls of the ingest functions with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from tests.plan import Plan, Row

PIPELINE = "data_collection_equities"
NOW = "2026-06-17 21:30:00+00"  # a Wednesday, after New York has closed
COLUMNS = ("open", "high", "low", "close", "adjusted_close", "volume")


def bar(date: str, **changes: Any) -> Row:
    """Return a valid bar with changes; a field given as `...` is omitted."""
    sound = {
        "date": date,
        "open": 10.5,
        "high": 12.25,
        "low": 9.75,
        "close": 11.0,
        "adjusted_close": 10.8,
        "volume": 1000,
    }
    return {x: y for x, y in {**sound, **changes}.items() if y is not ...}


def asset_id(plan: Plan, code: str) -> int:
    """Return a listing's asset id."""
    found = plan.value("find_asset", p_universe="equities", p_code=code)
    assert isinstance(found, int)
    return found


def ingest(plan: Plan, function: str, answers: dict[str, Any], now: str = NOW) -> dict[str, Row]:
    """Ingest answers by code (text as it is, other values as JSON); return results by code."""
    codes = {asset_id(plan, x): x for x in answers}
    payloads = [x if isinstance(x, str) or x is None else json.dumps(x) for x in answers.values()]
    rows = plan.call(
        f"equities.{function}",
        p_context={"run_id": "a run", "now": now},
        p_asset_ids=list(codes),
        p_payloads=payloads,
    )
    assert sorted(x["asset_id"] for x in rows) == sorted(codes), "one result for each asset"
    results = {x["asset_id"]: x for x in rows}
    return {code: results[asset] for asset, code in codes.items()}


def ingest_prices(plan: Plan, answers: dict[str, Any], now: str = NOW) -> dict[str, Row]:
    """Ingest /eod answers."""
    return ingest(plan, "ingest_prices", answers, now)


def prices(plan: Plan, code: str = "AAPL.US") -> dict[str, tuple[float, ...]]:
    """Return the accepted bars of a listing by date."""
    rows = plan.sql(
        "select p.*, p.date::text as date from equities.prices as p where asset_id = %(asset)s order by p.date",
        asset=asset_id(plan, code),
    )
    return {x["date"]: tuple(x[y] for y in COLUMNS) for x in rows}


def quarantine(plan: Plan, code: str = "AAPL.US") -> dict[str, str]:
    """Return the reasons why bars of a listing were quarantined, by date."""
    rows = plan.sql(
        "select date::text, reason from equities.prices_quarantine where asset_id = %(asset)s",
        asset=asset_id(plan, code),
    )
    return {x["date"]: x["reason"] for x in rows}


Answer = Callable[[str, str, str], Any]


def run(
    plan: Plan, at: str, answer: Answer, *, backwards: bool = False, **params: Any
) -> list[tuple[str, str, str]]:
    """Work a run off at a moment; return its requests as (operation, code, url), in order.

    `answer(operation, code, url)` gives the answer to each request. Chunks are completed in the order of their
    numbers, or with `backwards` in reverse.
    """
    plan.freeze_clock(at)
    plan.call("run_pipeline", p_pipeline=PIPELINE, p_params=params, p_run_id=at)
    asked: list[tuple[str, str, str]] = []
    while plan.row("execution_status", p_pipeline=PIPELINE, p_run_id=at)["status"] == "running":
        plan.advance()
        claimed = plan.call("claim_jobs", p_runner="test", p_max_chunks=100)
        chunks = [x for x in claimed if x["chunk_id"] is not None]
        for chunk in sorted(chunks, key=lambda x: x["chunk_id"], reverse=backwards):
            serves_all = (chunk["call"] or {}).get("serves_all")
            codes = chunk["assets"][:1] * len(chunk["urls"]) if serves_all else chunk["assets"]
            requests = list(zip(codes, chunk["urls"], strict=True))
            answers = [answer(chunk["operation"], code, url) for code, url in requests]
            asked += [(chunk["operation"], code, url) for code, url in requests]
            payloads = [x if isinstance(x, str) else json.dumps(x) for x in answers]
            others = len(chunk["asset_ids"]) - 1
            plan.freeze_clock(datetime.fromisoformat(at) + timedelta(minutes=1))
            plan.call(
                "complete_jobs",
                p_runner="test",
                p_chunk_id=chunk["chunk_id"],
                p_lease_no=chunk["lease_no"],
                p_asset_ids=chunk["asset_ids"],
                p_outcomes=["success"] * len(chunk["asset_ids"]),
                p_payloads=payloads,
                p_request_counts=[len(answers), *[0] * others] if serves_all else None,
            )
    return asked
