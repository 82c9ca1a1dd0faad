"""docs/planner.md shows real outputs: of one evening in Lisbon, and of the source system's catch-up."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from headgate.database import connect
from headgate.settings import Settings
from tests.db.plans.equities.feed import bar, run
from tests.docs import ROOT, Block, as_lines, blocks, squeezed
from tests.plan import Plan
from tests.planner.evening import LOADED, NOW, WAITING

PAGE = ROOT / "docs" / "planner.md"
TUESDAY = "2026-03-03 22:30:00+00"
QUOTA = 500
ZONE = {"PGOPTIONS": "-c timezone=UTC"}


def block(name: str) -> Block:
    """Return the block with that mark."""
    (found,) = [x for x in blocks(PAGE) if name in x.marks.values()]
    return found


@pytest.fixture(scope="module")
def lisbon(
    clone: Callable[[Settings | None], Settings], template: Settings
) -> Iterator[tuple[Settings, Plan]]:
    """Load as many of Lisbon's listings as 500 units allow, on a Tuesday evening."""
    settings = clone(template)
    with connect(settings, "test") as connection:
        db = Plan(connection)
        db.sql("set timezone = 'UTC'")
        db.sql(
            "update headgate.asset_processing_state set next_due_at = '2026-03-01' "
            "where next_due_at is not null"
        )
        db.call("set_provider", p_provider="eodhd", p_changes={"quota": QUOTA, "buffer": 0})
        run(db, TUESDAY, answer, exchanges=["LS"])
        yield settings, db


def answer(operation: str, code: str, url: str) -> Any:
    """Answer as the provider does: a company without figures, a short history, no actions."""
    if operation == "fundamentals_bulk":
        return {"General": {"Code": code}}
    return [bar("2026-03-02"), bar("2026-03-03")] if operation == "prices_historical" else []


@pytest.fixture
def shown(
    lisbon: tuple[Settings, Plan], headgate: Callable[..., subprocess.CompletedProcess[str]]
) -> Callable[[str], list[str]]:
    """Run one of the page's commands; return its output."""
    settings, _ = lisbon

    def type_in(command: str) -> list[str]:
        name, *arguments = re.findall(r"'[^']*'|\S+", command)
        assert name == "headgate"
        done = headgate(*(x.strip("'") for x in arguments), settings=settings, **ZONE)
        assert done.returncode == 0, done.stderr
        return squeezed(done.stdout)

    return type_in


@pytest.mark.parametrize("name", ["explain-all", "explain-one"])
def test_the_commands_print_what_the_page_shows(shown: Callable[[str], list[str]], name: str):
    command = block(name).text.strip()

    assert shown(command) == squeezed(block(f"{name}-output").text)


def test_why_says_what_the_page_shows(lisbon: tuple[Settings, Plan]):
    _, db = lisbon
    rows = db.sql(block("why").text)

    assert squeezed("\n".join(as_lines(rows))) == squeezed(block("why-output").text)


def test_the_forecast_is_the_page_s(db: Plan):
    db.freeze_clock(NOW)
    db.sql(LOADED)
    db.sql(WAITING)

    assert as_lines(db.sql(block("catch-up").text)) == squeezed(block("catch-up-output").text)
