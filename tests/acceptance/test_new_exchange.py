"""The commands of docs/equities.md that add an exchange, over HTTP, as a planner."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from headgate.demo.eodhd import Options, spawn
from tests.acceptance.ledger import check_ledger, check_settled
from tests.acceptance.system import System, killed_at_the_end
from tests.docs import ROOT, blocks
from tests.limits import PATIENCE

COMMANDS = [x for x in blocks(ROOT / "docs" / "equities.md") if x.marks.get("needs") == "vienna"]
CODES = ["OMV.VI", "VOE.VI"]
MONDAY = datetime(2026, 6, 15, 20, tzinfo=UTC)
LISTED = "code,group_key,calendar,exchange,symbol,name,type,currency\n" + "".join(
    f"{x},VI,XETR,VIENNA,{x[:-3]},{x},Common Stock,EUR\n" for x in CODES
)


@pytest.fixture
def system(small_database, tmp_path: Path) -> Iterator[System]:
    listed = tmp_path / "listed.csv"
    listed.write_text(LISTED)
    with (
        spawn(Options(quota=None, rate=None, listings=listed)) as standin,
        killed_at_the_end(System(small_database, standin, tmp_path, MONDAY)) as system,
    ):
        system.set_provider(base_url=standin.api, requests_per_minute=None)
        yield system


def test_the_page_s_commands_load_an_exchange_and_follow_it(system: System):
    system.plan.sql("set role headgate_planner")
    for block in COMMANDS:
        if block.language == "sql":
            system.plan.sql(block.text)
    system.plan.sql("reset role")
    carry_out(system)
    assert system.plan.scalar("select count(*) from equities.v_failed_assets") == 0
    first = bars(system)
    assert {x[0] for x in first} == set(CODES)
    assert max(x[1] for x in first) == "2026-06-15"

    system.set_clock(MONDAY + timedelta(days=1))
    carry_out(system)
    assert {(x, "2026-06-16") for x in CODES} == bars(system) - first
    ledger = system.standin.ledger()["by_endpoint"]
    assert ledger["eod"]["requests"] == 2 * len(CODES), "Monday's histories, and Tuesday's bars"
    assert ledger["eod-bulk-last-day"]["requests"] == 2, "Tuesday's splits and dividends"
    check_ledger(system)


def test_a_run_for_listings_that_no_step_covers_says_what_to_do(system: System):
    _, listings, _ = COMMANDS
    system.plan.sql(listings.text)
    code, said = system.run("exchanges=VIENNA")

    assert code == 1
    assert "no step of pipeline data_collection_equities covers group 'VIENNA' [HG006]" in said
    assert "equities.add_exchange" in said
    assert system.plan.scalar("select count(*) from headgate.process_executions") == 0


def carry_out(system: System) -> None:
    """Carry out the page's commands."""
    (block,) = (x for x in COMMANDS if x.language == "sh")
    for line in block.text.splitlines():
        process = system.spawn(*shlex.split(line)[1:])
        assert process.wait(PATIENCE) == 0, system.said(process)
    check_settled(system)


def bars(system: System) -> set[tuple[str, str]]:
    """Return the dates of the bars of each listing."""
    rows = system.plan.sql(
        "select a.code, p.date::text as day from equities.prices as p join headgate.assets as a using (asset_id)"
    )
    return {(x["code"], x["day"]) for x in rows}
