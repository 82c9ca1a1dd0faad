"""Fundamentals by pages, if the account includes them: from the plan over HTTP to each listing's own row."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from headgate.demo.eodhd import market
from tests.acceptance.ledger import check_ledger, check_settled
from tests.acceptance.system import System, killed_at_the_end

GROUP = "XETRA"
PAGE = 500
LEFT_OUT = 3
DETAILS = """
select a.code, o.name as operation, d.status, d.reason, d.units, d.records
from headgate.asset_processing_details as d
join headgate.process_executions as e using (execution_id)
join headgate.operations as o using (operation_id)
join headgate.assets as a using (asset_id)
where e.run_id = %(run_id)s
"""
STORED = """
select a.code, f.payload #>> '{General,Code}' as symbol, count(*) over (partition by f.asset_id) as many
from equities.fundamentals as f join headgate.assets as a using (asset_id)
"""


@pytest.fixture
def frankfurt(database, standin, tmp_path) -> Iterator[System]:
    with killed_at_the_end(System(database, standin, tmp_path)) as system:
        changes = {"base_url": standin.api, "quota": 100_000, "buffer": 0}
        system.set_provider(**changes, requests_per_minute=None, features=["bulk_fundamentals"])
        system.shorten_histories()
        yield system


def test_a_group_is_loaded_by_pages_and_what_they_lack_one_by_one(frankfurt):
    codes = set(frankfurt.codes(10_000, GROUP))
    stocks = {x for x in codes if market.listings()[x].type not in ("ETF", "FUND")}
    assert PAGE < len(stocks) <= 2 * PAGE
    dropped = sorted(stocks)[:LEFT_OUT]
    frankfurt.standin.set_faults(
        [
            {
                "match": {"path": "bulk-fundamentals"},
                "fault": {"kind": "missing", "codes": [x.rpartition(".")[0] for x in dropped]},
            }
        ]
    )
    run_id = run(frankfurt)

    asked = frankfurt.standin.ledger()["by_endpoint"]
    assert asked["bulk-fundamentals"]["requests"] == 2
    assert asked["bulk-fundamentals"]["units"] == 2 * 100 + len(codes)
    assert "fundamentals" not in asked
    rows = frankfurt.plan.sql(DETAILS, run_id=run_id)
    loaded = [x for x in rows if x["operation"] == "fundamentals_bulk"]
    assert {x["code"] for x in loaded} == codes
    assert sorted(x["units"] for x in loaded if x["units"]) == sorted(
        [100 + PAGE, 100 + len(codes) - PAGE]
    )
    found = {x["code"] for x in loaded if x["status"] == "success"}
    assert found == stocks - set(dropped)
    assert {x["reason"] for x in loaded if x["status"] != "success"} == {
        "missing: the bulk answer does not contain it"
    }
    histories = [x for x in rows if x["operation"] == "prices_historical"]
    assert {x["code"] for x in histories if x["status"] == "success"} == codes
    check_stored(frankfurt, found)
    check_ledger(frankfurt)

    frankfurt.standin.set_faults([])
    frankfurt.standin.reset()
    run(frankfurt)
    asked = frankfurt.standin.ledger()["by_endpoint"]
    assert asked["fundamentals"]["requests"] == len(codes - found), "what the pages lacked"
    assert "bulk-fundamentals" not in asked
    check_stored(frankfurt, codes)


def run(system: System) -> str:
    """Load the new listings of the group; return the run id."""
    code, said = system.run(f"exchanges={GROUP}", "mode=bulk")
    assert code == 0, said
    check_settled(system)
    return str(system.last_run()["run_id"])


def check_stored(system: System, codes: set[str]) -> None:
    """Check that each listing has the fundamentals of its own company, once."""
    rows = system.plan.sql(STORED)
    assert {x["code"] for x in rows} == codes
    assert all(x["symbol"] == x["code"].rpartition(".")[0] and x["many"] == 1 for x in rows)
