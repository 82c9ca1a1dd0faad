"""docs/equities.md shows real outputs: four evenings in Lisbon, with a split and a correction."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from headgate.database import connect
from headgate.settings import Settings
from tests.db.plans.equities.market import Market
from tests.docs import ROOT, as_lines, blocks, squeezed
from tests.plan import Plan, Row

PAGE = ROOT / "docs" / "equities.md"
EVENINGS = ["2026-06-15", "2026-06-16", "2026-06-17", "2026-06-18"]
EXAMPLES = [x for x in blocks(PAGE) if x.marks.get("needs") == "lisbon"]
SHOWN = {x.marks["shows"]: x for x in blocks(PAGE) if "shows" in x.marks}


class Corrected(Market):
    """On the third evening the provider corrects GALP's close of the second."""

    def bars(self, code: str) -> list[Row]:
        bars = super().bars(code)
        for bar in bars:
            if code == "GALP.LS" and bar["date"] == EVENINGS[1] and self.day >= EVENINGS[2]:
                bar |= {"close": 11.25, "adjusted_close": 11.25}
        return bars


@pytest.fixture(scope="module")
def lisbon(clone: Callable[[Settings | None], Settings], template: Settings) -> Iterator[Plan]:
    """Run the pipeline on four evenings; EDP is split two for one on the third."""
    with connect(clone(template), "test") as connection:
        db = Plan(connection)
        db.sql("set timezone = 'UTC'")
        market = Corrected(db, ["EDP.LS", "GALP.LS"], splits={"EDP.LS": {EVENINGS[2]: 2.0}})
        for day in EVENINGS:
            market.evening(day)
        yield db


@pytest.mark.parametrize("block", EXAMPLES, ids=str)
def test_the_page_shows_what_was_answered(lisbon: Plan, block):
    rows = lisbon.connection.execute(block.text).fetchall()
    shown = SHOWN[f"{block.marks['example']}"]

    assert squeezed("\n".join(as_lines(rows))) == squeezed(shown.text)


def test_the_page_has_examples():
    assert len(EXAMPLES) == len(SHOWN) == 4
