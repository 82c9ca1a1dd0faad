"""Handing in a runner's results."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from tests.db.toy import Toy
from tests.plan import Row


@pytest.fixture
def chunk(toy: Toy) -> Row:
    """Ten jobs, claimed."""
    toy.add(10)
    toy.begin()
    return toy.claim()[0]


def report(
    toy: Toy, chunk: Row, outcomes: list[str], says: list[Any] | None = None, **more: Any
) -> list[Row]:
    """Report an outcome per job."""
    return toy.call(
        "complete_jobs",
        p_runner="w1",
        p_chunk_id=chunk["chunk_id"],
        p_lease_no=chunk["lease_no"],
        p_asset_ids=chunk["asset_ids"][: len(outcomes)],
        p_outcomes=outcomes,
        p_payloads=[x if isinstance(x, str) else json.dumps(x) for x in says] if says else None,
        **more,
    )


# ------------------------------------------------------------------------ success


def test_a_success_is_ingested_recorded_and_counted(toy: Toy, chunk: Row):
    toy.later(minutes=1)
    assert toy.complete(chunk, says={"records": 3, "watermark": "2024-03-04"}) == []

    asset = chunk["asset_ids"][0]
    (row,) = toy.details(asset)
    kept = (
        "status",
        "reason",
        "units",
        "attempts",
        "records",
        "api_calls_used",
        "duration_ms",
        "error",
        "round",
    )
    assert [row[x] for x in kept] == ["success", None, 1, 1, 3, 1, 7, None, 1]
    assert (row["step"], row["ended_at"]) == ("a", toy.now)
    state = toy.state(asset)
    assert (state["chunk_id"], state["succeeded_at"]) == (None, toy.now)
    assert state["watermark"].date().isoformat() == "2024-03-04"
    assert toy.step()["succeeded"] == 10
    assert toy.chunks() == []


def test_the_ingest_function_knows_its_context(toy: Toy, chunk: Row):
    toy.complete(chunk)

    context = toy.scalar("select context from toy.answers limit 1")
    assert {x: context[x] for x in context if x != "now"} == {
        "pipeline": "plain", "run_id": "r1", "step": "a", "operation": "look", "group_key": "A", "params": {},
        "run": {
            "id": "r1", "pipeline": "plain", "logical_date": "2024-03-05T12:00:00Z", "date": "2024-03-05",
            "stamp": "20240305_120000", "started_at": "2024-03-05T12:00:00.000000Z",
        },
    }  # fmt: skip


def test_a_watermark_that_is_not_given_stays(toy: Toy, chunk: Row):
    toy.complete(chunk, says={"watermark": "2024-03-04"})
    toy.later(days=1)
    toy.finish()
    toy.begin(run="r2")
    toy.drain()

    assert toy.state(chunk["asset_ids"][0])["watermark"].date().isoformat() == "2024-03-04"


def test_an_operation_without_ingest_function_drops_its_answers(toy: Toy):
    toy.tune(ingest_function=None)
    toy.add(3)
    toy.begin()
    toy.drain()

    assert toy.endings() == {"success": 3}
    assert toy.sql("select * from toy.answers") == []


def test_jobs_may_be_handed_in_in_slices(toy: Toy, chunk: Row):
    for n in range(0, 10, 4):
        toy.complete(chunk, "success", chunk["asset_ids"][n : n + 4])
        toy.assert_ledger_balances()

    assert toy.step()["status"] == "succeeded"
    assert toy.scalar("select max(times) from toy.answers") == 1


def test_jobs_that_are_not_in_the_chunk_are_not_touched(toy: Toy, chunk: Row):
    (stranger,) = toy.add(1, first=50)
    toy.complete(chunk, "success", [*chunk["asset_ids"][:2], stranger, 0])

    assert toy.endings() == {"success": 2}
    assert toy.sql("select * from toy.answers where asset_id = %(id)s", id=stranger) == []


def test_a_job_reported_twice_counts_once(toy: Toy, chunk: Row):
    asset = chunk["asset_ids"][0]
    toy.complete(chunk, "success", [asset, asset])

    assert toy.endings() == {"success": 1}


def test_nothing_reported_changes_nothing(toy: Toy, chunk: Row):
    with toy.unchanged():
        toy.complete(chunk, "success", [])


def test_the_next_chunk_is_claimed_in_the_same_breath(toy: Toy):
    toy.add(35)
    toy.begin()
    (chunk,) = toy.claim()

    following = toy.complete(chunk, p_claim=2)
    assert [x["lease_no"] for x in following] == [1, 1]
    assert toy.units() == (5, 30)
    assert toy.complete(following[0], p_claim=1, p_queues=["shop_high"]) == []


def test_defaults_stand_for_what_is_not_given(toy: Toy, chunk: Row):
    report(toy, chunk, ["success"] * 5 + ["failed"] * 5)

    ended = {(x["status"], x["attempts"], x["units"], x["duration_ms"]) for x in toy.details()}
    assert ended == {("success", 1, 1, 0), ("failed", 1, 1, 0)}


@pytest.mark.parametrize(
    "given",
    [
        {"p_outcomes": ["success"]},
        {"p_outcomes": ["success"] * 9 + ["sucess"]},
        {"p_outcomes": ["success"] * 9 + [None]},
        {"p_faults": ["item"] * 9 + ["me"]},
        {"p_faults": ["item"]},
        {"p_payloads": ["{}"]},
        {"p_block": Jsonb({"until": "noon"})},
    ],
    ids=str,
)
def test_a_report_that_makes_no_sense_is_refused(toy: Toy, chunk: Row, given: dict[str, Any]):
    arguments = {"p_asset_ids": chunk["asset_ids"], "p_outcomes": ["success"] * 10, **given}

    with toy.unchanged(), toy.refused("HG008"):
        toy.call(
            "complete_jobs",
            p_runner="w1",
            p_chunk_id=chunk["chunk_id"],
            p_lease_no=chunk["lease_no"],
            **arguments,
        )


# -------------------------------------------------------------------------- token


@pytest.mark.parametrize("change", [{"lease_no": 2}, {"lease_no": 0}, {"chunk_id": 0}])
def test_a_wrong_token_changes_nothing(toy: Toy, chunk: Row, change: Row):
    with toy.unchanged(), toy.refused("HG012", "no longer held by w1", "drop this work"):
        toy.complete(chunk | change)


def test_another_runner_s_token_changes_nothing(toy: Toy, chunk: Row):
    with toy.unchanged(), toy.refused("HG012"):
        toy.complete(chunk, runner="w2")


def test_a_completed_chunk_is_not_completed_again(toy: Toy, chunk: Row):
    toy.complete(chunk)

    with toy.unchanged(), toy.refused("HG012"):
        toy.complete(chunk)


def test_a_slice_handed_in_twice_counts_once(toy: Toy, chunk: Row):
    toy.complete(chunk, "success", chunk["asset_ids"][:5])

    with toy.unchanged():
        toy.complete(chunk, "success", chunk["asset_ids"][:5])


def test_a_late_report_counts_as_long_as_nobody_else_has_the_chunk(toy: Toy, chunk: Row):
    toy.expire(chunk)
    toy.complete(chunk)

    assert toy.endings() == {"success": 10}


def test_an_expired_lease_gives_nothing_back(toy: Toy, chunk: Row):
    toy.expire(chunk)
    toy.complete(chunk, "unsent")

    assert toy.units() == (0, 10)
    toy.later(minutes=1)
    toy.drain()
    assert toy.units() == (0, 20)
    assert {x["units"] for x in toy.details()} == {2}


# ------------------------------------------------------------------------- ingest


@pytest.mark.parametrize("state", ["22012", "23505", "P0001", "HG008", "54000", "22P05", "21000"])
def test_one_poisonous_payload_harms_only_itself(toy: Toy, chunk: Row, state: str):
    says = [{"raise": state} if n == 6 else {} for n in range(10)]
    report(toy, chunk, ["success"] * 10, says)

    poisoned = chunk["asset_ids"][6]
    assert toy.endings() == {"success": 9, "failed": 1}
    (row,) = toy.details(poisoned)
    assert row["error"] == f"poison in asset {poisoned}"
    assert toy.state(poisoned)["consecutive_failures"] == 1
    assert toy.scalar("select count(*) from toy.answers") == 9
    assert toy.scalar("select max(times) from toy.answers") == 1


@pytest.mark.parametrize(
    "text",
    [
        "<html>", "", '{"reason": "\\ud800"}', '{"reason": "\\udc00\\ud800"}', '{"reason": "\\u0000"}',
        '{"\\u0000": 1}', '{"records": 1e200000}', f'{{"records": {"9" * 150_000}}}', "[" * 50_000 + "]" * 50_000,
    ],
    ids=["html", "nothing", "half a pair", "a pair turned", "NUL", "NUL in a key", "exponent", "digits", "deep"],
)  # fmt: skip
def test_text_that_is_not_json_of_postgres_is_its_item_s_fault(toy: Toy, chunk: Row, text: str):
    report(toy, chunk, ["success"] * 10, ["{}"] * 9 + [text])

    spoilt = chunk["asset_ids"][9]
    assert toy.endings() == {"success": 9, "failed": 1}
    assert toy.state(spoilt)["consecutive_failures"] == 1
    assert toy.details(spoilt)[0]["error"]


@pytest.mark.parametrize("state", ["40001", "40P01", "53100", "57014", "58030", "55P03"])
def test_trouble_of_the_database_ends_the_whole_transaction(toy: Toy, chunk: Row, state: str):
    says = [{"raise": state} if n == 6 else {} for n in range(10)]

    with toy.unchanged():
        with pytest.raises(Exception, match="poison") as caught, toy.connection.transaction():
            report(toy, chunk, ["success"] * 10, says)
        assert getattr(caught.value, "sqlstate", None) == state


@pytest.mark.parametrize("state", ["42P01", "42501", "0A000", "38000", "XX000"])
def test_a_broken_ingest_function_is_an_internal_fault_and_is_not_charged_again(
    toy: Toy, chunk: Row, state: str
):
    says = [{"raise": state} if n == 6 else {} for n in range(10)]
    report(toy, chunk, ["success"] * 10, says)

    assert toy.endings() == {"deferred": 10}
    (row,) = toy.details(chunk["asset_ids"][0])
    assert row["reason"].startswith("internal: toy.keep: poison in asset")
    assert toy.state(row["asset_id"])["consecutive_failures"] == 0
    assert toy.step()["status"] == "failed"
    assert toy.sql("select * from toy.answers") == []


def test_the_ingest_function_may_fail_or_skip_a_job_without_raising(toy: Toy, chunk: Row):
    says: list[Any] = [{}] * 8
    says += [{"status": "failed", "reason": "no bars"}, {"status": "skipped", "reason": "delisted"}]
    report(toy, chunk, ["success"] * 10, says)

    ended = [(x["status"], x["reason"]) for x in toy.details()][-2:]
    assert ended == [("failed", "no bars"), ("skipped", "delisted")]


def test_a_job_the_ingest_function_says_nothing_of_has_failed(toy: Toy, chunk: Row):
    toy.sql(
        "create or replace function toy.keep(p_context jsonb, p_asset_ids bigint[], p_payloads text[])"
        " returns setof headgate.ingest_result language sql security definer"
        " set search_path = pg_catalog, pg_temp as 'select null::headgate.ingest_result where false'"
    )
    toy.complete(chunk)

    assert {(x["status"], x["error"]) for x in toy.details()} == {
        ("failed", "the ingest function returned no row for this asset")
    }


def test_invisible_characters_in_an_error_are_escaped(toy: Toy, chunk: Row):
    """PostgreSQL repeats the payload in its errors: an answer could garble what an operator reads."""
    toy.sql(
        "create or replace function toy.keep(p_context jsonb, p_asset_ids bigint[], p_payloads text[])"
        " returns setof headgate.ingest_result language plpgsql security definer"
        " set search_path = pg_catalog, pg_temp as $$ begin"
        " raise exception E'line\\t%\\n!', p_payloads[1]::jsonb ->> 'bad'; end $$"
    )
    toy.complete(chunk, says={"bad": "a\u202egnp.exe\x1b[31m\u200b\u2066 é 🐟"})

    assert {x["error"] for x in toy.details()} == {
        r"line a\u202egnp.exe\u001b[31m\u200b\u2066 é 🐟 !"
    }


@pytest.mark.parametrize("reply", ["(0, 'success', 1, null, null)", "(null, null, null, null, null)",
                                   "(p_asset_ids[1], 'perhaps', 1, null, null)",
                                   "(p_asset_ids[1], 'success', -5, null, null)"])  # fmt: skip
def test_an_ingest_function_that_talks_nonsense_leaves_no_job_lost(
    toy: Toy, chunk: Row, reply: str
):
    toy.connection.execute(
        "create or replace function toy.keep(p_context jsonb, p_asset_ids bigint[], p_payloads text[])"
        " returns setof headgate.ingest_result language sql security definer"
        " set search_path = pg_catalog, pg_temp"
        f" as 'select v.* from (values {reply.replace(chr(39), chr(39) * 2)})"
        " as v (a, b, c, d, e)'".replace("null, null)", "null::timestamptz, null::text)")
        .replace("(null, null, null,", "(null::bigint, null::text, null::integer,")
        .replace("(0,", "(0::bigint,")
        .encode()
    )
    toy.complete(chunk)

    assert sum(toy.endings().values()) == 10
    assert toy.step()["status"] != "running"


# ------------------------------------------------------------------- retry and wait


def test_an_item_s_fault_is_tried_again_until_its_attempts_are_used_up(toy: Toy):
    (asset,) = toy.add(1)
    toy.begin()
    for attempt in (1, 2, 3):
        (chunk,) = toy.claim()
        assert chunk["attempt"] == attempt
        toy.complete(chunk, "retry")
        toy.later(minutes=2)

    (row,) = toy.details(asset)
    assert (row["status"], row["attempts"], row["units"], row["error"]) == (
        "failed",
        3,
        3,
        "it went wrong",
    )
    assert toy.state(asset)["consecutive_failures"] == 1


def test_a_failure_that_is_not_retryable_ends_at_once(toy: Toy, chunk: Row):
    toy.complete(chunk, "failed")

    assert toy.endings() == {"failed": 10}


def test_the_wait_grows_and_varies(toy: Toy):
    toy.tune(max_wait="1 day", max_attempts=9)
    toy.add(1)
    toy.begin()
    for expected in (2, 4, 8, 16, 32, 64, 128, 256):
        (chunk,) = toy.claim()
        toy.complete(chunk, "retry")
        wait = (toy.chunks("parked")[0]["wake_at"] - toy.now).total_seconds()
        assert 0.75 * expected <= wait <= 1.25 * expected
        toy.later(seconds=wait)


def test_the_wait_has_an_end(toy: Toy):
    toy.tune(max_wait="1 day", max_attempts=99, backoff_max="10 seconds")
    toy.add(1)
    toy.begin()
    for _ in range(5):
        toy.complete(toy.claim()[0], "retry")
        assert toy.chunks("parked")[0]["wake_at"] - toy.now <= timedelta(seconds=12.5)
        toy.later(seconds=13)


def test_the_provider_s_fault_is_waited_for_within_max_wait_and_deferred_beyond(toy: Toy):
    toy.provider(breaker_failures=1000)
    (asset,) = toy.add(1)
    toy.begin()
    begun = toy.now
    while claimed := toy.claim():
        toy.complete(claimed[0], "retry", fault="provider")
        assert claimed[0]["attempt"] == 1
        if parked := toy.chunks("parked"):
            toy.at(parked[0]["wake_at"])

    (row,) = toy.details(asset)
    assert row["status"] == "deferred"
    assert row["reason"] == "provider: it went wrong"
    assert timedelta(minutes=8) < toy.now - begun <= timedelta(minutes=15)
    assert toy.state(asset)["consecutive_failures"] == 0


def test_a_parked_job_keeps_what_it_has_cost(toy: Toy):
    (asset,) = toy.add(1)
    toy.begin()
    toy.complete(toy.claim()[0], "retry")
    assert toy.units() == (0, 1)
    assert toy.chunks()[0]["charged_units"] == 1
    toy.later(minutes=1)
    toy.drain()

    (row,) = toy.details(asset)
    assert (row["units"], row["attempts"]) == (2, 2)


def test_jobs_that_wait_alike_travel_on_together(toy: Toy, chunk: Row):
    toy.complete(chunk, "retry", chunk["asset_ids"][:7], fault="provider")
    toy.complete(chunk, "success", chunk["asset_ids"][7:])

    (parked,) = toy.chunks()
    assert (parked["state"], len(parked["asset_ids"]), parked["units"]) == ("parked", 7, 7)


@pytest.mark.parametrize("outcome", ["retry", "failed", "deferred"])
def test_a_request_that_was_never_sent_costs_nothing(toy: Toy, chunk: Row, outcome: str):
    toy.complete(chunk, outcome, fault="provider", requests=0)

    assert toy.units() == (0, 0)
    if outcome != "retry":
        assert {(x["units"], x["attempts"]) for x in toy.details()} == {(0, 0)}


def test_unstarted_jobs_are_sent_again_and_charged_once(toy: Toy, chunk: Row):
    toy.complete(chunk, "success", chunk["asset_ids"][:4])
    toy.complete(chunk, "unsent", chunk["asset_ids"][4:])
    assert toy.units() == (0, 4)

    assert toy.drain() == 6
    assert toy.units() == (0, 10)


@pytest.mark.parametrize("outcome", ["skipped", "failed", "deferred", "retry", "success"])
def test_every_outcome_keeps_the_books(toy: Toy, chunk: Row, outcome: str):
    for fault in ("item", "provider", "internal", "quota"):
        for requests in (0, 1):
            (asset,) = chunk["asset_ids"][:1]
            chunk["asset_ids"] = chunk["asset_ids"][1:]
            toy.complete(chunk, outcome, [asset], fault=fault, requests=requests)
            toy.assert_ledger_balances()


# ------------------------------------------------------------------------ closings


def test_a_quota_that_is_used_up_closes_the_window_and_the_next_one_finishes_it(toy: Toy):
    toy.add(30)
    toy.begin()
    (chunk,) = toy.claim()
    toy.complete(chunk, "success", chunk["asset_ids"][:5])
    toy.complete(
        chunk, "deferred", chunk["asset_ids"][5:6], fault="quota", block={"until": "reset"}
    )
    toy.complete(chunk, "unsent", chunk["asset_ids"][6:])

    assert toy.claim() == []
    assert toy.endings() == {"success": 5, "deferred": 25}
    assert toy.units() == (0, 6)
    assert toy.window()["blocked_until"] == toy.window()["closes_at"]
    assert toy.step()["status"] == "succeeded"
    toy.finish()
    assert toy.begin(run="r2")[0]["planned"] == 0
    toy.finish("r2")

    toy.at("2024-03-06 00:00+00:00")
    assert toy.begin(run="r3")[0]["planned"] == 25
    assert toy.drain() == 25
    assert (
        toy.scalar(
            "select count(*) from headgate.asset_processing_state where succeeded_at is null"
        )
        == 0
    )


def test_a_402_that_comes_after_the_reset_does_not_close_the_new_window(toy: Toy):
    toy.at("2024-03-05 23:59:50+00:00")
    toy.add(20)
    toy.begin()
    (chunk,) = toy.claim()
    toy.later(seconds=20)
    (following,) = toy.claim()
    toy.complete(chunk, "deferred", fault="quota", block={"until": "reset"})

    assert toy.window()["blocked_until"] is None
    toy.complete(following)
    assert toy.endings() == {"deferred": 10, "success": 10}


def test_a_429_within_max_wait_parks(toy: Toy):
    toy.add(20)
    toy.begin()
    (chunk,) = toy.claim()
    block = {"until": "retry_after", "seconds": 600, "reason": "slow down"}
    toy.complete(chunk, "retry", chunk["asset_ids"][:1], fault="quota", block=block)
    toy.complete(chunk, "unsent", chunk["asset_ids"][1:])

    assert toy.claim() == []
    assert toy.step()["parked"] == 10
    assert toy.units() == (10, 1)
    toy.later(seconds=601)
    assert toy.drain() == 20
    assert toy.units() == (0, 21)


def test_a_429_beyond_max_wait_defers_and_the_step_has_succeeded(toy: Toy):
    toy.add(30)
    toy.begin()
    (chunk,) = toy.claim()
    block = {"until": "retry_after", "seconds": 3600, "reason": "slow down"}
    toy.complete(chunk, "retry", chunk["asset_ids"][:1], fault="quota", block=block)
    toy.complete(chunk, "unsent", chunk["asset_ids"][1:])
    assert toy.claim() == []

    assert toy.endings() == {"deferred": 30}
    assert {x["reason"].partition(":")[0] for x in toy.details()} == {"quota"}
    assert toy.units() == (0, 1)
    assert toy.step()["status"] == "succeeded"


@pytest.mark.parametrize(
    ("seconds", "until"), [(None, 60), (0, 0), (5, 5), (10**9, 86400), (-5, 0)]
)
def test_retry_after_is_taken_at_its_word_within_reason(
    toy: Toy, chunk: Row, seconds: int, until: int
):
    toy.complete(chunk, "unsent", block={"until": "retry_after", "seconds": seconds})

    assert toy.breaker()["blocked_until"] - toy.now == timedelta(seconds=until)


def test_a_block_never_shortens_another(toy: Toy, chunk: Row):
    toy.complete(chunk, "unsent", chunk["asset_ids"][:1], block={"until": "for", "seconds": 600})
    toy.complete(chunk, "unsent", chunk["asset_ids"][1:], block={"until": "for", "seconds": 5})

    assert toy.breaker()["blocked_until"] - toy.now == timedelta(seconds=600)


def test_a_refused_token_ends_the_execution_s_work_with_that_provider(toy: Toy):
    toy.add(35)
    toy.add(3, "B")
    toy.add(4, "O", "others")
    toy.start("r1", "aside")
    toy.enqueue("all", "r1", "aside")
    toy.begin("a", "b")
    (chunk,) = toy.claim(p_avoid=["side"])
    block = {"until": "execution", "reason": "token refused"}
    toy.complete(chunk, "deferred", chunk["asset_ids"][:1], fault="internal", block=block)
    toy.complete(chunk, "unsent", chunk["asset_ids"][1:], block=block)

    assert toy.drain() == 4, "the other provider goes on"
    assert toy.endings() == {"deferred": 38, "success": 4}
    assert {toy.step(x)["status"] for x in "ab"} == {"failed"}
    assert toy.units() == (0, 1)
    assert toy.finish()["status"] == "failed"


def test_a_refused_token_leaves_the_next_execution_alone(toy: Toy):
    assets = toy.add(3)
    for n in range(5):
        toy.begin(run=f"r{n}")
        (chunk,) = toy.claim()
        toy.complete(chunk, "deferred", fault="internal", block={"until": "execution"})
        assert toy.finish(f"r{n}")["status"] == "failed"

    assert {toy.state(x)["consecutive_failures"] for x in assets} == {0}
    toy.begin(run="r9")
    assert toy.drain() == 3


@pytest.mark.parametrize("slices", [1, 2])
def test_a_late_completion_does_not_claim_the_chunk_it_completes(toy: Toy, slices: int):
    """Its lease has expired and nobody else has taken it: its message is the next to be read."""
    toy.add(10)
    toy.begin()
    (chunk,) = toy.claim()
    toy.expire(chunk)

    some = chunk["asset_ids"][: 10 // slices]
    assert toy.complete(chunk, assets=some, p_claim=1) == []
    assert toy.units() == (0, 10)
    assert [len(x["asset_ids"]) for x in toy.chunks()] == ([] if slices == 1 else [5])


def test_a_handlers_resources_are_kept_with_each_of_its_jobs(toy: Toy):
    toy.tune(chunk_size=2)
    toy.add(4)
    toy.begin()
    computed, called = toy.claim(chunks=2)
    toy.complete(computed, p_peak_memory=5 * 2**30, p_cpu_ms=70)
    toy.complete(called)

    found = toy.sql(
        "select count(*), cpu_ms, peak_memory from headgate.asset_processing_details"
        " group by cpu_ms, peak_memory order by cpu_ms"
    )
    assert [tuple(x.values()) for x in found] == [(2, 70, 5 * 2**30), (2, None, None)]
