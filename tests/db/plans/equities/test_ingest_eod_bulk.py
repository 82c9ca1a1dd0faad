"""equities.ingest_eod_bulk: one answer for an exchange gives a bar for each listing of the chunk."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.db.plans.equities.feed import NOW, asset_id, bar, prices, quarantine
from tests.plan import Plan, Row

WEDNESDAY = "2026-06-17"


def line(symbol: str, **changes: Any) -> Row:
    """Return a bar in the format of a bulk answer."""
    return {"code": symbol, "exchange_short_name": "US", **bar(WEDNESDAY), **changes}


def take(plan: Plan, codes: list[str], payload: Any) -> dict[str, Row]:
    """Ingest one answer for all, the payload of the first; return the results by code."""
    ids = {asset_id(plan, code): code for code in codes}
    text = payload if isinstance(payload, str) else json.dumps(payload)
    rows = plan.call(
        "equities.ingest_eod_bulk",
        p_context={"run_id": "a run", "now": NOW, "group_key": "US"},
        p_asset_ids=list(ids),
        p_payloads=[text, *[None] * (len(ids) - 1)],
    )
    return {ids[row["asset_id"]]: row for row in rows}


def test_each_listing_gets_its_own_bar_and_watermark(db: Plan):
    codes = ["AAPL.US", "BAC-PL.US", "MSFT.US"]
    results = take(
        db, codes, [line("MSFT", close=12), line("AAPL"), line("BAC-PL"), line("NOBODY")]
    )

    assert {x["status"] for x in results.values()} == {"success"}
    assert {x["records"] for x in results.values()} == {1}
    assert {x["watermark"].date().isoformat() for x in results.values()} == {WEDNESDAY}
    assert list(results) == codes
    assert prices(db, "MSFT.US")[WEDNESDAY][3] == 12
    assert db.scalar("select count(*) from equities.prices") == 3, "tickers of nobody are dropped"


def test_a_listing_that_the_answer_lacks_gets_no_result(db: Plan):
    assert list(take(db, ["AAPL.US", "MSFT.US"], [line("MSFT")])) == ["MSFT.US"]
    assert take(db, ["AAPL.US", "MSFT.US"], []) == {}


def test_the_same_symbol_of_another_exchange_is_another_listing(db: Plan):
    assert list(take(db, ["SAN.PA"], [line("SAN")])) == ["SAN.PA"]
    assert prices(db, "SAN.MC") == {}


def test_a_bad_bar_harms_only_its_own_listing(db: Plan):
    answer = [line("AAPL", open="N/A"), line("MSFT"), line("KO", date="someday"), [1], None]
    results = take(db, ["AAPL.US", "KO.US", "MSFT.US"], answer)

    assert {x: y["status"] for x, y in results.items()} == {
        "AAPL.US": "success",
        "KO.US": "failed",
        "MSFT.US": "success",
    }
    assert quarantine(db) == {WEDNESDAY: "open not a number"}
    assert list(prices(db, "MSFT.US")) == [WEDNESDAY]


@pytest.mark.parametrize("payload", ["Unauthenticated", '{"error": 1}', "12", "[" * 100_000])
def test_an_answer_that_cannot_be_read_is_nobody_s_fault(db: Plan, payload: str):
    assert take(db, ["AAPL.US", "MSFT.US"], payload) == {}


def test_a_whole_exchange_is_one_quick_call(db: Plan):
    codes = [
        x["code"]
        for x in db.sql(
            "select code from headgate.assets where universe = 'equities' and group_key = 'US'"
        )
    ]
    wanted = [line(code.removesuffix(".US")) for code in codes]
    results = take_all(db, codes, wanted + [line(f"X{n}") for n in range(20_000)])

    assert results == len(codes)


def take_all(plan: Plan, codes: list[str], answer: list[Row]) -> int:
    """Ingest an answer for many listings; return how many succeeded."""
    found = plan.scalar(
        """
        select count(*) filter (where r.status = 'success')
        from (
            select array_agg(a.asset_id order by a.asset_id) as ids from headgate.assets as a
            where a.code = any (%(codes)s) and a.universe = 'equities'
        ) as w
        cross join lateral equities.ingest_eod_bulk(
            %(context)s, w.ids, array[%(answer)s::text]
                || array_fill(null::text, array[cardinality(w.ids) - 1])
        ) as r
        """,
        codes=codes,
        context={"run_id": "a run", "now": NOW},
        answer=json.dumps(answer),
    )
    assert isinstance(found, int)
    return found
