"""A provider that errs, refuses, stalls or lies: all possible work is done, and the ledgers agree."""

from __future__ import annotations

from datetime import timedelta

from tests.acceptance.ledger import check_bars, check_ledger, check_settled, jobs
from tests.acceptance.system import TOKEN

BURNT = """
select count(*) from headgate.asset_processing_state
where greatest(attempts, consecutive_failures) > 0 or last_error is not null
"""
NO_BARS = [{"date": "2026-01-05", "close": {"deep": 1}}, 7]


def test_one_poison_payload_in_a_chunk_of_100_leaves_99_done(system):
    system.set_operations(chunk_size="100")
    american, british = system.codes(100, "US"), system.codes(100, "LSE")
    victims = [american[50], british[50], british[70]]
    doubtful, silent = british[20], american[70]
    system.standin.set_faults(
        [
            {"match": {"path": "^/api/eod/", "code": code}, "fault": fault}
            for code, fault in {
                victims[0]: "truncated",
                victims[1]: {"kind": "wrong_json", "body": NO_BARS},
                victims[2]: "charset",
                silent: "no_content",
                doubtful: {"kind": "bad_bars", "defects": ["text_price", "high_below_low"]},
            }.items()
        ]
    )
    run_id = system.start(tickers=american + british, mode="bulk")
    system.worker(concurrency=50)

    assert system.wait_for_end(run_id)["status"] == "succeeded"
    assert jobs(system, run_id) == {"success": 396, "failed": 3, "skipped": 1}
    failed = system.plan.sql("select * from headgate.v_failed_assets order by operation, asset")
    assert [row["asset"] for row in failed] == sorted(victims)
    assert {row["operation"] for row in failed} == {"prices_historical"}
    assert {row["consecutive_failures"] for row in failed} == {1}
    assert all("answer" in row["last_error"] for row in failed)
    quarantined = system.plan.sql(
        "select distinct a.code from equities.prices_quarantine join headgate.assets as a "
        "using (asset_id)"
    )
    assert quarantined == [{"code": doubtful}]
    check_settled(system)
    check_ledger(system)
    check_bars(system, set(american + british) - {*victims, doubtful, silent}, but_for=doubtful)


def test_402_defers_the_rest_and_the_run_after_the_reset_finishes_it(system):
    codes = system.codes(60)
    system.standin.set_limits(quota=330)
    run_id = system.start(tickers=codes)
    system.worker(concurrency=10)

    assert system.wait_for_end(run_id)["status"] == "succeeded"
    done = jobs(system, run_id)
    assert done["success"] + done["deferred"] == 120
    assert done["deferred"] >= 30
    check_settled(system)
    served, charged = check_ledger(system)
    assert 320 <= served <= 330
    assert charged < 660
    assert system.plan.scalar(BURNT) == 0

    asked = system.standin.ledger()["requests"]
    assert system.wait_for_end(system.start(tickers=codes))["status"] == "succeeded"
    assert system.standin.ledger()["requests"] == asked, "the provider is blocked until its reset"

    system.set_clock(system.at + timedelta(days=1))
    system.standin.set_limits(quota=None)
    next_run_id = system.start(tickers=codes, mode="bulk")
    system.worker()
    assert system.wait_for_end(next_run_id)["status"] == "succeeded"
    assert jobs(system, next_run_id) == {"success": done["deferred"]}
    check_settled(system)
    check_ledger(system)


def test_429_with_retry_after_burns_no_attempt(system):
    codes = system.codes(30)
    system.set_operations(max_attempts="1", backoff="100 ms")
    refused = {"kind": "status", "status": 429, "retry_after": 1}
    system.standin.set_faults(
        [
            {"match": {"code": codes[0], "first": 2}, "fault": refused},
            {"match": {"every": 20}, "fault": refused},
        ]
    )
    run_id = system.start(tickers=codes)
    system.worker()

    assert system.wait_for_end(run_id)["status"] == "succeeded"
    assert system.standin.ledger()["rejected"]["429"] >= 3
    assert jobs(system, run_id) == {"success": 60}
    assert system.plan.scalar(BURNT) == 0
    check_settled(system)
    check_ledger(system)
    check_bars(system, codes)


def test_a_refused_token_ends_runs_at_once_and_excludes_nothing(system):
    codes = system.codes(100)
    code, said = system.run(f"tickers={','.join(codes)}", **{TOKEN: "wrong"})
    assert code == 1
    assert "the provider refuses the token" in said
    assert "Traceback" not in said
    worker = system.worker(**{TOKEN: "wrong"})
    for _ in range(4):
        run = system.wait_for_end(system.start(tickers=codes))
        assert run["status"] == "failed"
    worker.kill()
    assert system.standin.ledger()["requests"] < 300, "whoever is open ends; nothing else starts"
    assert system.plan.scalar(BURNT) == 0
    assert check_ledger(system)[0] == 0

    code, said = system.run(f"tickers={','.join(codes)}")
    assert code == 0, said
    assert jobs(system, system.last_run()["run_id"]) == {"success": 200}
    check_settled(system)


def test_storms_drops_drips_and_lies_end_green(system):
    codes = system.codes(100)
    system.set_provider(breaker_cooldown="500 ms")
    system.set_operations(backoff="100 ms")
    system.standin.set_faults(
        [
            {"match": {"first": 12}, "fault": {"kind": "status", "status": 502}},
            {"match": {"probability": 0.1}, "fault": {"kind": "status", "status": 500}},
            {"match": {"probability": 0.05}, "fault": {"kind": "drop", "where": "before"}},
            {"match": {"probability": 0.05}, "fault": {"kind": "drop", "where": "unanswered"}},
            {"match": {"probability": 0.05}, "fault": {"kind": "drop", "where": "body"}},
            {"match": {"probability": 0.05}, "fault": {"kind": "drip", "seconds": 1}},
            {"match": {"probability": 0.05}, "fault": "html_200"},
        ]
    )
    run_id = system.start(tickers=codes)
    system.worker()

    assert system.wait_for_end(run_id)["status"] == "succeeded"
    assert jobs(system, run_id) == {"success": 200}
    assert len(system.standin.ledger()["faults"]) == 4
    assert system.plan.scalar(BURNT) == 0
    check_settled(system)
    served, charged = check_ledger(system)
    assert 1_100 <= served <= charged
    check_bars(system, codes)


def test_a_provider_that_stays_down_defers_everything(system):
    codes = system.codes(100)
    system.set_operations(backoff="100 ms", max_wait="2 seconds")
    system.standin.set_faults([{"match": {}, "fault": {"kind": "status", "status": 502}}])
    run_id = system.start(tickers=codes)
    system.worker()

    assert system.wait_for_end(run_id)["status"] == "failed"
    assert jobs(system, run_id) == {"deferred": 200}
    assert system.plan.scalar(BURNT) == 0
    check_settled(system)
    assert check_ledger(system)[0] == 0
    due = system.plan.scalar(
        "select count(*) from headgate.v_assets_needing_processing where asset = any (%(codes)s)",
        codes=codes,
    )
    assert due == 200
