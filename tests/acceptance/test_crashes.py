"""Whatever is killed, at whatever moment: the tables are exact, and the books agree."""

from __future__ import annotations

import os
import signal

import psutil
import pytest

from headgate.embedded.server import Server
from tests.acceptance.books import check_bars, check_books, check_settled, jobs
from tests.acceptance.house import as_param, end
from tests.limits import PATIENCE, wait_until
from tests.servers import PARAMETERS

EVERYTHING = """
select
    (select md5(string_agg(t::text, ',' order by t::text)) from headgate.quota_windows as t) as windows,
    (select md5(string_agg(t::text, ',' order by t::text)) from headgate.process_steps as t) as steps,
    (select md5(string_agg(t::text, ',' order by t::text)) from headgate.asset_processing_details as t)
        as details,
    (select md5(string_agg(t::text, ',' order by t::text)) from headgate.asset_processing_state as t)
        as states,
    (select md5(string_agg(t::text, ',' order by t::text)) from equities.prices as t) as prices,
    (select md5(string_agg(t::text, ',' order by t::text)) from equities.fundamentals as t) as companies
"""
LISTENING = """
select count(*) from pg_stat_activity
where datname = current_database() and application_name = 'headgate worker, listening'
"""
BUSY = "select count(distinct runner) from headgate.chunks where state = 'leased'"
# The first calls are answered at once, the others slowly: whatever happens then, it is in the middle.
MOST_ARE_SLOW = {"match": {"after": 20}, "fault": {"kind": "latency", "ms": 1000}}


def test_runners_killed_in_mid_chunk_leave_exact_tables(house):
    codes = house.codes(100)
    house.hold(after=20)
    run_id = house.start(tickers=codes, bulk_load_batch_size=20)
    runners = [house.worker(concurrency=4), house.worker(concurrency=4)]
    house.wait(lambda: house.plan.scalar(BUSY) == 2, "two runners with a lease each")
    for runner in runners:
        assert end(runner, signal.SIGKILL) == -signal.SIGKILL
    assert house.plan.scalar(BUSY) == 2
    house.expire_leases()
    house.let_go()
    for _ in runners:
        house.worker()

    assert house.wait_for_end(run_id)["status"] == "succeeded"
    assert jobs(house, run_id) == {"success": 200}
    check_settled(house)
    check_bars(house, codes)
    assert house.plan.scalar("select count(*) from equities.fundamentals") == 100
    served, booked = check_books(house)
    assert 1_100 <= served <= booked


def test_nobody_waits_for_the_leases_of_a_runner_that_was_killed(house):
    codes = house.codes(60)
    house.set_operations(lease="1 hour")
    house.standin.set_faults([MOST_ARE_SLOW])
    killed = house.spawn("run", "data_collection_equities", f"--param={as_param(codes)}")
    house.wait_for_requests(20)
    end(killed, signal.SIGKILL)
    assert house.plan.scalar(BUSY) > 0
    house.standin.set_faults([])

    code, said = house.run()

    assert code == 0, said
    assert "leases of runners that are gone were ended" in said
    assert jobs(house, house.last_run()["run_id"]) == {"success": 120}
    check_settled(house)
    served, booked = check_books(house)
    assert 660 <= served <= booked


def test_sigterm_ends_what_is_under_way_and_gives_back_the_rest(house):
    codes = house.codes(60)
    house.hold(after=20)
    run_id = house.start(tickers=codes)
    runner = house.worker(concurrency=4)
    house.wait_for_requests(24)

    house.wait(lambda: house.plan.scalar(LISTENING), "a runner that waits for what is new")
    runner.send_signal(signal.SIGTERM)
    wait_until(lambda: not house.plan.scalar(LISTENING), "a runner that waits for nothing new")
    house.let_go()
    assert runner.wait(PATIENCE) == 0
    book = house.standin.book()
    assert book["requests"] < 120
    assert jobs(house, run_id) == {"success": book["requests"]}
    states = house.plan.sql("select distinct state from headgate.chunks")
    assert states == [{"state": "queued"}]

    house.worker()
    assert house.wait_for_end(run_id)["status"] == "succeeded"
    assert house.standin.book()["requests"] == 120
    assert check_books(house) == (660, 660)
    check_settled(house)
    check_bars(house, codes)


def test_a_runner_that_was_superseded_writes_nothing(house):
    codes = house.codes(40)
    house.hold(after=20)
    run_id = house.start(tickers=codes)
    sleeper = house.worker(concurrency=4)
    house.wait_for_requests(24)
    sleeper.send_signal(signal.SIGSTOP)
    house.expire_leases()
    house.let_go()
    house.worker(concurrency=8)
    assert house.wait_for_end(run_id)["status"] == "succeeded"
    before = house.plan.sql(EVERYTHING)

    sleeper.send_signal(signal.SIGCONT)
    house.wait(lambda: "dropp" in house.said(sleeper), "word that the lease is lost")
    assert end(sleeper, signal.SIGTERM) == 0
    assert house.plan.sql(EVERYTHING) == before
    assert jobs(house, run_id) == {"success": 80}
    check_settled(house)
    check_books(house)
    check_bars(house, codes)


def test_runners_wait_for_a_server_that_was_stopped_and_finish(house):
    if house.settings.dsn is not None:
        pytest.skip("stops the server, which only the embedded one may be")
    codes = house.codes(60)
    house.hold(after=20)
    run_id = house.start(tickers=codes)
    runner = house.worker(concurrency=4)
    house.wait_for_requests(24)

    server = Server(house.settings.home)
    running = server.running()
    assert running is not None
    os.kill(running.pid, signal.SIGQUIT)  # what pg_ctl -m immediate sends
    wait_until(lambda: not psutil.pid_exists(running.pid), "the end of the server")
    house.let_go()
    house.wait(lambda: "waiting for it" in house.said(runner), "word that the server is gone")
    server.start(parameters=PARAMETERS)

    assert house.wait_for_end(run_id)["status"] == "succeeded"
    assert runner.poll() is None
    assert jobs(house, run_id) == {"success": 120}
    check_settled(house)
    check_books(house)
    check_bars(house, codes)


def test_ctrl_c_leaves_a_run_that_the_same_command_goes_on_with(house):
    codes = house.codes(60)
    house.standin.set_faults([MOST_ARE_SLOW])
    first = house.spawn(
        "run", "data_collection_equities", f"--param={as_param(codes)}", "--concurrency=4"
    )
    house.wait_for_requests(20)

    assert end(first, signal.SIGINT) == 130
    run = house.last_run()
    assert run["status"] == "running"
    assert f"{run['run_id']} is not done" in house.said(first)

    house.standin.set_faults([])
    code, said = house.run()
    assert (code, house.last_run()["run_id"]) == (0, run["run_id"])
    assert f"going on with {run['run_id']}" in said
    assert check_books(house) == (660, 660)
    check_settled(house)
    check_bars(house, codes)
