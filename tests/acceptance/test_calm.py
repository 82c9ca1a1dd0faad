"""A full run, watched from another session: no transaction is open while a call is in flight."""

from __future__ import annotations

from functools import partial

from tests.acceptance.ledger import check_settled, jobs
from tests.acceptance.system import System

OPEN = """
select a.pid, a.state, a.query, a.xact_start
from pg_stat_activity as a
where a.datname = current_database() and a.pid <> pg_backend_pid()
    and a.application_name like 'headgate worker%' and a.xact_start is not null
"""


def test_no_transaction_spans_a_call_nor_waits_for_its_client(system: System):
    codes = system.codes(60)
    system.hold()
    run_id = system.start(tickers=codes, bulk_load_batch_size=5)
    for _ in range(2):
        system.worker(concurrency=20)

    for calls in (40, 80):  # the second 40 while the first ones' results go in
        system.wait_for_requests(calls)
        system.wait(partial(has_results, system, run_id, calls - 40), "the first half's results")
        system.wait(lambda: system.plan.sql(OPEN) == [], "a moment without a transaction")
        assert system.standin.ledger()["requests"] == calls, "all of these are still under way"
        system.hold()
    system.disconnect()

    assert system.wait_for_end(run_id)["status"] == "succeeded"
    assert jobs(system, run_id) == {"success": 120}
    check_settled(system)
    health = system.plan.sql("select * from headgate.v_database_health where verdict <> 'ok'")
    assert health == []


def has_results(system: System, run_id: str, count: int) -> bool:
    return jobs(system, run_id).get("success", 0) == count
