"""Evenings without a run: the next run brings every listing up to date, by the cheapest calls."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest

from headgate.demo.eodhd.bars import Synthetic
from tests.acceptance.ledger import check_bars, check_settled, jobs, windows
from tests.acceptance.system import System, killed_at_the_end
from tests.attacks.form import either

LAST_RUN = datetime(2025, 12, 10, 21, 30, tzinfo=UTC)  # Madrid's data are published at 19:35
LISTINGS = 80
BULK, ONE_BY_ONE = "eod-bulk-last-day", "eod"
SESSIONS = """
select t.session
from headgate.trading_sessions as t
where t.calendar = 'XMAD' and t.session > %(after)s
order by t.session
limit %(many)s
"""
WATERMARKS = """
select a.asset as code, a.watermark, a.next_due_at
from headgate.v_asset_states as a
where a.operation = 'prices_incremental' and a.asset = any (%(codes)s)
"""


@pytest.fixture
def madrid(small_database, standin, tmp_path) -> Iterator[System]:
    with killed_at_the_end(System(small_database, standin, tmp_path, LAST_RUN)) as system:
        system.set_provider(base_url=standin.api, quota=100_000, buffer=0, requests_per_minute=None)
        system.shorten_histories()
        system.plan.sql(
            "update headgate.asset_processing_state set next_due_at = '2025-12-01' "
            "where next_due_at is not null"
        )
        yield system


@pytest.mark.parametrize(
    ("missed", "bulk_units", "cheapest"),
    [
        (1, 60, {BULK: 1}),
        (2, 60, {ONE_BY_ONE: LISTINGS}),
        (10, 7, {BULK: 10}),
        (73, 1, {BULK: 73}),
        *either([], [(2, 30, {BULK: 2}), (73, 60, {ONE_BY_ONE: LISTINGS})]),
    ],
)
def test_the_next_run_brings_every_listing_up_to_date_by_the_cheapest_calls(
    madrid, missed, bulk_units, cheapest
):
    codes = madrid.codes(LISTINGS, "MC")
    run(madrid, codes, "mode=bulk")
    madrid.standin.reset()
    madrid.plan.sql(
        "update headgate.operations set units = %(units)s where name = 'eod_bulk'",
        units=bulk_units,
    )
    sessions = [
        row["session"] for row in madrid.plan.sql(SESSIONS, after=LAST_RUN.date(), many=missed)
    ]

    madrid.set_clock(evening_of(sessions[-1]))
    run_id = run(madrid, codes, "mode=incremental")

    quiet = [x for x in codes if not actions(x, sessions)]
    assert succeeded(madrid, run_id) >= {*quiet}
    ledger = madrid.standin.ledger()
    assert {x: y["requests"] for x, y in ledger["by_endpoint"].items()} == cheapest
    for state in madrid.plan.sql(WATERMARKS, codes=quiet):
        assert state["watermark"].date() == sessions[-1], state
        assert state["next_due_at"] > madrid.at, state
    check_bars_of(madrid, quiet)
    (calls,) = cheapest.items()
    price = {BULK: bulk_units, ONE_BY_ONE: 1}[calls[0]]
    assert windows(madrid)[-1]["spent"] == calls[1] * price


def run(system: System, codes: list[str], mode: str) -> str:
    """Run the pipeline on some listings; return its run id."""
    code, said = system.run("tickers=" + ",".join(codes), mode)
    assert code == 0, said
    check_settled(system)
    return str(system.last_run()["run_id"])


def evening_of(session: date) -> datetime:
    """Return the time at which the session's data are published."""
    return datetime(session.year, session.month, session.day, 21, 30, tzinfo=UTC)


def succeeded(system: System, run_id: str) -> set[str]:
    """Return the listings whose update succeeded; the histories of the others are loaded next."""
    assert jobs(system, run_id).keys() <= {"success", "skipped"}
    rows = system.plan.sql(
        "select asset from headgate.v_asset_processing_history "
        "where run_id = %(run_id)s and status = 'success'",
        run_id=run_id,
    )
    return {row["asset"] for row in rows}


def actions(code: str, sessions: list[date]) -> list[object]:
    """Return the splits and dividends of a listing in these sessions."""
    return list(Synthetic().actions(code, sessions[0].isoformat(), sessions[-1].isoformat()))


def check_bars_of(system: System, codes: list[str]) -> None:
    """Check that the bars of these listings are the stand-in's."""
    with system.plan.connection.transaction(force_rollback=True):
        system.plan.sql(
            "delete from equities.prices as p using headgate.assets as a "
            "where a.asset_id = p.asset_id and a.code <> all (%(codes)s)",
            codes=codes,
        )
        check_bars(system, codes)
