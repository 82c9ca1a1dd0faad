"""equities.ingest_fundamentals_batch: one answer for many listings gives the fundamentals of each."""

from __future__ import annotations

import json
from typing import Any

from tests.db.plans.equities.feed import NOW, asset_id
from tests.plan import Plan, Row

APPLE = {"General": {"Code": "AAPL", "Name": "Apple Inc"}, "Highlights": {"PERatio": 30.5}}
MICROSOFT = {"General": {"Code": "MSFT", "Name": "Microsoft"}, "Highlights": {"PERatio": 33.0}}
CODES = ("AAPL.US", "MSFT.US", "IBM.US")


def take(plan: Plan, page: Any, codes: tuple[str, ...] = CODES) -> dict[str, Row]:
    """Ingest a page requested for these listings."""
    names = {asset_id(plan, x): x for x in codes}
    rows = plan.call(
        "equities.ingest_fundamentals_batch",
        p_context={"now": NOW, "group_key": "US"},
        p_asset_ids=list(names),
        p_payloads=[page if isinstance(page, str) else json.dumps(page)],
    )
    return {names[x["asset_id"]]: x for x in rows}


def stored(plan: Plan) -> list[Any]:
    rows = plan.sql(
        "select payload from equities.fundamentals order by payload #>> '{General,Code}'"
    )
    return [x["payload"] for x in rows]


def test_each_listing_gets_its_own_company_and_what_the_page_lacks_nothing(db: Plan):
    results = take(db, {"0": MICROSOFT, "1": APPLE})

    assert {x: y["status"] for x, y in results.items()} == {
        "AAPL.US": "success",
        "MSFT.US": "success",
    }
    assert stored(db) == [APPLE, MICROSOFT]


def test_companies_that_nobody_requested_are_dropped(db: Plan):
    assert set(take(db, {"0": MICROSOFT, "1": APPLE}, ("AAPL.US",))) == {"AAPL.US"}
    assert stored(db) == [APPLE]


def test_repeated_fundamentals_are_not_stored_again(db: Plan):
    take(db, {"0": APPLE})
    assert take(db, {"0": APPLE})["AAPL.US"]["records"] == 0
    assert stored(db) == [APPLE]


def test_an_answer_that_is_not_a_page_is_nobody_s_fault(db: Plan):
    for text in ("no JSON", "[1, 2]", '"text"', "[]", '{"0": 1, "1": {"General": "x"}}'):
        assert take(db, text) == {}, text
    assert stored(db) == []
