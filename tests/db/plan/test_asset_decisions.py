"""The decisions about one asset, page by page."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.db.toy import Toy

SAID = {
    "A0": [("r3", "defer"), ("r2", "success"), ("r1", "defer"), ("r0", "success")],
    "A1": [("r3", "failed"), ("r2", "defer"), ("r1", "success"), ("r0", "defer")],
}


def decisions(toy: Toy, code: str, before: datetime | None = None, most: int = 50) -> list[Any]:
    """Return the run and the decision, or its outcome, newest first."""
    rows = toy.call(
        "asset_decisions",
        p_asset_id=toy.value("find_asset", p_universe=None, p_code=code),
        p_before=before,
        p_limit=most,
    )
    return [(x["run_id"], x["outcome"] or x["decision"], x["decided_at"]) for x in rows]


@pytest.fixture
def days(toy: Toy) -> list[datetime]:
    """Four days, on each of which the quota suffices for one of two assets."""
    toy.provider(quota=1)
    toy.add(2)
    toy.tune(due_every="1 day")
    at = list[datetime]()
    for n in range(4):
        at.append(toy.now)
        toy.begin(run=f"r{n}")
        toy.drain(outcome="success" if n < 3 else "failed")
        toy.finish(f"r{n}")
        toy.later(days=1)
    return at


def test_what_was_done_and_what_was_put_off_come_newest_first(toy: Toy, days: list[datetime]):
    assert {code: [x[:2] for x in decisions(toy, code)] for code in ("A0", "A1")} == SAID
    assert [x[2] for x in decisions(toy, "A0")] == days[::-1]


def test_pages_follow_each_other_without_gaps(toy: Toy, days: list[datetime]):
    pages, before = list[Any](), None
    while page := decisions(toy, "A1", before, most=1):
        pages += page
        before = page[-1][2]

    assert pages == decisions(toy, "A1")
    assert len(pages) == len(days)


def test_decisions_of_the_same_moment_stay_on_one_page(toy: Toy):
    toy.add(1, "W", "books")
    toy.begin("west", pipeline="library")
    toy.drain()
    toy.finish(pipeline="library")
    together = decisions(toy, "W0")

    assert len(together) > 1
    assert {x[2] for x in together} == {toy.now}
    assert decisions(toy, "W0", most=1) == together
