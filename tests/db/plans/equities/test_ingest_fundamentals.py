"""equities.ingest_fundamentals: one row each time a company's data change."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.db.plans.equities.feed import NOW, ingest
from tests.plan import Plan, Row

LATER = "2026-06-18 02:00:00+00"
ANSWER = {"General": {"Code": "AAPL", "Name": "Apple Inc"}, "Highlights": {"PERatio": 30.5}}


def take(plan: Plan, answers: dict[str, Any], now: str = NOW) -> dict[str, Row]:
    return ingest(plan, "ingest_fundamentals", answers, now)


def stored(plan: Plan) -> list[Row]:
    return plan.sql("select * from equities.fundamentals order by asset_id, fetched_at")


def test_the_first_answer_is_kept(db: Plan):
    result = take(db, {"AAPL.US": ANSWER})["AAPL.US"]
    (row,) = stored(db)

    assert (result["status"], result["records"]) == ("success", 1)
    assert result["watermark"] == row["fetched_at"] == datetime(2026, 6, 17, 21, 30, tzinfo=UTC)
    assert row["payload"] == ANSWER


def test_an_answer_that_says_the_same_is_not_kept_again(db: Plan):
    take(db, {"AAPL.US": ANSWER})
    in_another_order = dict(reversed(ANSWER.items()))
    result = take(db, {"AAPL.US": in_another_order}, now=LATER)["AAPL.US"]

    assert (result["status"], result["records"]) == ("success", 0)
    assert len(stored(db)) == 1


def test_changed_fundamentals_are_stored_beside_the_previous_ones(db: Plan):
    changed = {**ANSWER, "Highlights": {"PERatio": 31}}
    for day, answer in enumerate((ANSWER, changed, ANSWER)):
        take(db, {"AAPL.US": answer}, now=f"2026-06-1{day} 02:00:00+00")

    assert [x["payload"] for x in stored(db)] == [ANSWER, changed, ANSWER]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ("[]", "the answer has no General"),
        ("{}", "the answer has no General"),
        ('{"General": "text"}', "the answer has no General"),
        ("null", "the answer has no General"),
        (None, "the answer has no General"),
        ("Unauthenticated", "the answer cannot be read: "),
        ('{"General": {"Name": "\\u0000"}}', "the answer cannot be read: "),
        ('{"General": {}, "x": ' + "[" * 100_000, "the answer cannot be read: "),
    ],
    ids=lambda x: repr(x)[:30],
)
def test_an_answer_without_a_company_fails_its_own_listing(
    db: Plan, payload: str | None, reason: str
):
    results = take(db, {"MSFT.US": ANSWER, "AAPL.US": payload, "KO.US": ANSWER})

    assert [x["status"] for x in results.values()] == ["success", "failed", "success"]
    assert results["AAPL.US"]["reason"].startswith(reason)
    assert len(stored(db)) == 2
