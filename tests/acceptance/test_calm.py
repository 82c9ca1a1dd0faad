"""A full run, looked at from another session: no transaction is open while a call is under way."""

from __future__ import annotations

from functools import partial

from tests.acceptance.books import check_settled, jobs
from tests.acceptance.house import House

OPEN = """
select a.pid, a.state, a.query, a.xact_start
from pg_stat_activity as a
where a.datname = current_database() and a.pid <> pg_backend_pid()
    and a.application_name like 'headgate worker%' and a.xact_start is not null
"""


def test_no_transaction_spans_a_call_nor_waits_for_its_client(house: House):
    codes = house.codes(60)
    house.hold()
    run_id = house.start(tickers=codes, bulk_load_batch_size=5)
    for _ in range(2):
        house.worker(concurrency=20)

    for calls in (40, 80):  # the second 40 while the first ones' results go in
        house.wait_for_requests(calls)
        house.wait(partial(has_results, house, run_id, calls - 40), "the first half's results")
        house.wait(lambda: house.plan.sql(OPEN) == [], "a moment without a transaction")
        assert house.standin.book()["requests"] == calls, "all of these are still under way"
        house.hold()
    house.let_go()

    assert house.wait_for_end(run_id)["status"] == "succeeded"
    assert jobs(house, run_id) == {"success": 120}
    check_settled(house)
    health = house.plan.sql("select * from headgate.v_database_health where verdict <> 'ok'")
    assert health == []


def has_results(house: House, run_id: str, count: int) -> bool:
    return jobs(house, run_id).get("success", 0) == count
