"""One call for a whole exchange, from the plan over HTTP to each listing's own bar, and the effects of splits."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from headgate.demo.eodhd.bars import Synthetic
from tests.acceptance.ledger import check_bars, check_settled, jobs
from tests.acceptance.system import System, killed_at_the_end
from tests.plan import Row

GROUP = "exchanges=MC"
BEFORE = datetime(
    2025, 12, 10, 21, 30, tzinfo=UTC
)  # a Wednesday: Madrid's data are published at 19:35
SPLIT = "YMPI.MC"  # on the next day, four for one
SESSION = "2025-12-11"
UNWANTED = 5
BULK_JOBS = """
select a.asset_id, a.code, d.status, d.units, d.records
from headgate.asset_processing_details as d
join headgate.process_executions as e using (execution_id)
join headgate.operations as o using (operation_id)
join headgate.assets as a using (asset_id)
where e.run_id = %(run_id)s and o.name = 'prices_incremental'
order by d.units desc, a.code
"""
STATES = """
select a.asset as code, a.watermark, a.next_due_at
from headgate.v_asset_states as a
where a.operation = 'prices_incremental' and a.asset = any (%(codes)s)
"""
WAITING = """
select asset as code, operation from headgate.v_assets_needing_processing
where group_key = 'MC' and operation in ('prices_incremental', 'prices_historical') order by 1, 2
"""


@pytest.fixture
def madrid(small_database, standin, tmp_path) -> Iterator[System]:
    with killed_at_the_end(System(small_database, standin, tmp_path, BEFORE)) as system:
        changes = {"base_url": standin.api, "quota": 100_000, "buffer": 0}
        system.set_provider(**changes, requests_per_minute=None)
        system.shorten_histories()
        system.plan.sql(
            "update headgate.asset_processing_state set next_due_at = '2025-12-01' "
            "where next_due_at is not null"
        )
        yield system


def test_an_exchange_is_one_call_and_each_listing_has_its_own_bar_watermark_and_outcome(madrid):
    codes = madrid.codes(1_000, "MC")
    run(madrid, "mode=bulk")
    assert madrid.standin.ledger()["requests"] == 2 * len(codes)
    madrid.standin.reset()

    madrid.set_clock(BEFORE + timedelta(days=1))
    unwanted = [x for x in codes if not actions(x)][:UNWANTED]
    missing = [x for x in codes if not actions(x)][UNWANTED : UNWANTED + 3]
    retire(madrid, unwanted)
    symbols = [x.removesuffix(".MC") for x in missing]
    madrid.standin.set_faults(
        [{"match": {"path": "bulk"}, "fault": {"kind": "missing", "codes": symbols}}]
    )
    first = run(madrid)

    wanted = [x for x in codes if x not in unwanted]
    acted = {x for x in wanted if actions(x)}
    assert SPLIT in acted
    again = "splits, dividends and bars, and two sessions again"
    assert asked(madrid) == {"eod-bulk-last-day": 5}, again
    check_outcomes(madrid, first, wanted, missing, acted)
    check_watermarks(madrid, wanted, missing, acted)
    check_dropped(madrid, unwanted)

    madrid.standin.set_faults([])
    madrid.standin.reset()
    still = madrid.plan.sql(WAITING)
    assert {x["code"] for x in still if x["operation"] == "prices_historical"} == acted
    assert {x["code"] for x in still} >= {*missing, *acted}
    run(madrid)
    one_by_one = madrid.standin.ledger()["by_code"]
    assert {x: y["requests"] for x, y in one_by_one.items() if x in missing} == dict.fromkeys(
        missing, 1
    )
    check_reloads(madrid, acted)
    check_bars_of(madrid, wanted)

    madrid.standin.reset()
    run(madrid)
    ledger = madrid.standin.ledger()
    assert ledger["by_endpoint"] == {}, f"each action has reloaded its history once: {ledger}"


def run(system: System, *params: str) -> str:
    """Run the pipeline on Madrid's listings; return its run id."""
    code, said = system.run(GROUP, *params)
    assert code == 0, said
    check_settled(system)
    run_id = system.last_run()["run_id"]
    assert "failed" not in jobs(system, run_id), said
    return str(run_id)


def actions(code: str) -> list[object]:
    """Return the splits and dividends of a listing on the day."""
    return list(Synthetic().actions(code, SESSION, SESSION))


def retire(system: System, codes: list[str]) -> None:
    """Stop following some listings that the provider still has."""
    system.plan.sql(
        "select x.* from headgate.assets as a "
        "cross join lateral headgate.set_asset_active(a.asset_id, false) as x "
        "where a.universe = 'equities' and a.code = any (%(codes)s)",
        codes=codes,
    )


def asked(system: System) -> dict[str, int]:
    """Count the requests of each endpoint."""
    return {x: y["requests"] for x, y in system.standin.ledger()["by_endpoint"].items()}


def check_outcomes(
    system: System, run_id: str, wanted: list[str], missing: list[str], acted: set[str]
) -> None:
    """Check that each listing has a row of its own, and only the first carries the call's units."""
    rows = system.plan.sql(BULK_JOBS, run_id=run_id)
    assert sorted(x["code"] for x in rows) == sorted(wanted)
    assert [x["units"] for x in rows] == [100] + [0] * (len(rows) - 1)
    by_status: dict[str, set[str]] = {}
    for row in rows:
        by_status.setdefault(row["status"], set()).add(row["code"])
    assert by_status["success"] >= {*wanted} - {*missing} - acted
    assert {*missing} <= by_status["deferred"] <= {*missing} | acted
    assert all(x["records"] == 1 for x in rows if x["status"] == "success")


def check_watermarks(
    system: System, wanted: list[str], missing: list[str], acted: set[str]
) -> None:
    """Check the watermarks: a listing in the answer has the session; any other has the previous one, and is due."""
    for state in system.plan.sql(STATES, codes=[x for x in wanted if x not in acted]):
        is_missing = state["code"] in missing
        day = BEFORE.date().isoformat() if is_missing else SESSION
        assert state["watermark"].astimezone(UTC).date().isoformat() == day, state
        assert (state["next_due_at"] <= system.at) == is_missing, state


def check_dropped(system: System, unwanted: list[str]) -> None:
    """Check that bars of listings that nobody follows are dropped."""
    stored = system.plan.scalar(
        "select count(*) from equities.prices as p join headgate.assets as a using (asset_id) "
        "where p.date = %(day)s and a.code = any (%(codes)s)",
        day=SESSION,
        codes=unwanted,
    )
    assert stored == 0


def check_reloads(system: System, acted: set[str]) -> None:
    """Check that each listing with an action had its whole history reloaded, once."""
    rows: list[Row] = system.plan.sql(
        "select a.code, c.applied_at is not null as is_applied "
        "from equities.corporate_actions as c join headgate.assets as a using (asset_id)"
    )
    assert {x["code"] for x in rows} == acted
    assert all(x["is_applied"] for x in rows)
    asked_for = system.standin.ledger()["by_code"]
    loads = system.plan.sql(
        "select a.code, count(*) from headgate.asset_processing_details as d "
        "join headgate.operations as o using (operation_id) "
        "join headgate.assets as a using (asset_id) "
        "where o.name = 'prices_historical' and d.status = 'success' and a.group_key = 'MC' "
        "and a.code = any (%(codes)s) group by a.code",
        codes=[*acted],
    )
    assert {x["code"]: x["count"] for x in loads} == dict.fromkeys(acted, 2)
    assert acted <= asked_for.keys()


def check_bars_of(system: System, wanted: list[str]) -> None:
    """Check that the bars are the stand-in's current ones, adjusted for the day's actions; the ledgers agree."""
    with system.plan.connection.transaction(force_rollback=True):
        system.plan.sql(
            "delete from equities.prices as p using headgate.assets as a "
            "where a.asset_id = p.asset_id and a.code <> all (%(codes)s)",
            codes=wanted,
        )
        check_bars(system, wanted)
