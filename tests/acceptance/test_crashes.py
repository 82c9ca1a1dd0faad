"""Whatever is killed, at whatever moment: the tables are exact, and the ledgers agree."""

from __future__ import annotations

import os
import signal

import psutil
import pytest

from headgate.embedded.server import Server
from tests.acceptance.ledger import check_bars, check_ledger, check_settled, jobs
from tests.acceptance.system import as_param, end
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
# The first calls are answered at once, the others slowly, so that the kill happens in the middle.
MOSTLY_SLOW = {"match": {"after": 20}, "fault": {"kind": "latency", "ms": 1000}}


def test_runners_killed_in_mid_chunk_leave_exact_tables(system):
    codes = system.codes(100)
    system.hold(after=20)
    run_id = system.start(tickers=codes, bulk_load_batch_size=20)
    runners = [system.worker(concurrency=4), system.worker(concurrency=4)]
    system.wait(lambda: system.plan.scalar(BUSY) == 2, "two runners with a lease each")
    for runner in runners:
        assert end(runner, signal.SIGKILL) == -signal.SIGKILL
    assert system.plan.scalar(BUSY) == 2
    system.expire_leases()
    system.disconnect()
    for _ in runners:
        system.worker()

    assert system.wait_for_end(run_id)["status"] == "succeeded"
    assert jobs(system, run_id) == {"success": 200}
    check_settled(system)
    check_bars(system, codes)
    assert system.plan.scalar("select count(*) from equities.fundamentals") == 100
    served, charged = check_ledger(system)
    assert 1_100 <= served <= charged


def test_no_runner_waits_for_the_leases_of_a_killed_one(system):
    codes = system.codes(60)
    system.set_operations(lease="1 hour")
    system.standin.set_faults([MOSTLY_SLOW])
    killed = system.spawn("run", "data_collection_equities", f"--param={as_param(codes)}")
    system.wait_for_requests(20)
    end(killed, signal.SIGKILL)
    assert system.plan.scalar(BUSY) > 0
    system.standin.set_faults([])

    code, said = system.run()

    assert code == 0, said
    assert "leases of runners that are gone were ended" in said
    assert jobs(system, system.last_run()["run_id"]) == {"success": 120}
    check_settled(system)
    served, charged = check_ledger(system)
    assert 660 <= served <= charged


def test_sigterm_ends_what_is_under_way_and_gives_back_the_rest(system):
    codes = system.codes(60)
    system.hold(after=20)
    run_id = system.start(tickers=codes)
    runner = system.worker(concurrency=4)
    system.wait_for_requests(24)

    system.wait(lambda: system.plan.scalar(LISTENING), "a runner that waits for what is new")
    runner.send_signal(signal.SIGTERM)
    wait_until(lambda: not system.plan.scalar(LISTENING), "a runner that waits for nothing new")
    system.disconnect()
    assert runner.wait(PATIENCE) == 0
    ledger = system.standin.ledger()
    assert ledger["requests"] < 120
    assert jobs(system, run_id) == {"success": ledger["requests"]}
    states = system.plan.sql("select distinct state from headgate.chunks")
    assert states == [{"state": "queued"}]

    system.worker()
    assert system.wait_for_end(run_id)["status"] == "succeeded"
    assert system.standin.ledger()["requests"] == 120
    assert check_ledger(system) == (660, 660)
    check_settled(system)
    check_bars(system, codes)


def test_a_runner_that_was_superseded_writes_nothing(system):
    codes = system.codes(40)
    system.hold(after=20)
    run_id = system.start(tickers=codes)
    sleeper = system.worker(concurrency=4)
    system.wait_for_requests(24)
    sleeper.send_signal(signal.SIGSTOP)
    system.expire_leases()
    system.disconnect()
    system.worker(concurrency=8)
    assert system.wait_for_end(run_id)["status"] == "succeeded"
    before = system.plan.sql(EVERYTHING)

    sleeper.send_signal(signal.SIGCONT)
    system.wait(lambda: "dropp" in system.said(sleeper), "word that the lease is lost")
    assert end(sleeper, signal.SIGTERM) == 0
    assert system.plan.sql(EVERYTHING) == before
    assert jobs(system, run_id) == {"success": 80}
    check_settled(system)
    check_ledger(system)
    check_bars(system, codes)


def test_runners_wait_for_a_server_that_was_stopped_and_finish(system):
    if system.settings.dsn is not None:
        pytest.skip("stops the server, which only the embedded one may be")
    codes = system.codes(60)
    system.hold(after=20)
    run_id = system.start(tickers=codes)
    runner = system.worker(concurrency=4)
    system.wait_for_requests(24)

    server = Server(system.settings.home)
    running = server.running()
    assert running is not None
    os.kill(running.pid, signal.SIGQUIT)  # the signal of pg_ctl -m immediate
    wait_until(lambda: not psutil.pid_exists(running.pid), "the end of the server")
    system.disconnect()
    system.wait(lambda: "waiting for it" in system.said(runner), "word that the server is gone")
    server.start(parameters=PARAMETERS)

    assert system.wait_for_end(run_id)["status"] == "succeeded"
    assert runner.poll() is None
    assert jobs(system, run_id) == {"success": 120}
    check_settled(system)
    check_ledger(system)
    check_bars(system, codes)


def test_ctrl_c_leaves_a_run_that_the_same_command_continues_with(system):
    codes = system.codes(60)
    system.standin.set_faults([MOSTLY_SLOW])
    first = system.spawn(
        "run", "data_collection_equities", f"--param={as_param(codes)}", "--concurrency=4"
    )
    system.wait_for_requests(20)

    assert end(first, signal.SIGINT) == 130
    run = system.last_run()
    assert run["status"] == "running"
    assert f"{run['run_id']} is not done" in system.said(first)

    system.standin.set_faults([])
    code, said = system.run()
    assert (code, system.last_run()["run_id"]) == (0, run["run_id"])
    assert f"continuing {run['run_id']}" in said
    assert check_ledger(system) == (660, 660)
    check_settled(system)
    check_bars(system, codes)
