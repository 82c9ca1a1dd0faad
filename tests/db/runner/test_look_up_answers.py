"""The answer cache: which requests need not be made, and that each hit costs nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from tests.db.toy import Toy
from tests.plan import Row

HEAD = {"status": 200, "headers": {"etag": "7"}, "duration_ms": 3.5}
PAYLOAD = json.dumps({"records": 4})


@pytest.fixture
def cached(toy: Toy) -> Toy:
    """Cache the answers of `look` for an hour; each chunk has one asset."""
    toy.tune(cache="1 hour", chunk_size=1)
    return toy


def claim(toy: Toy, run: str = "r1", runner: str = "w1", chunks: int = 20) -> list[Row]:
    """Start a run in which everything is due, and claim it."""
    toy.sql("update headgate.asset_processing_state set next_due_at = headgate.clock()")
    toy.begin(run=run)
    return toy.claim(runner, chunks)


def look(toy: Toy, chunk: Row, *keys: str, runner: str = "w1") -> dict[str, str]:
    """Return the states of requests of a chunk; the n-th key is the n-th asset's."""
    return {x["key"]: x["state"] for x in found(toy, chunk, *keys, runner=runner)}


def found(
    toy: Toy, chunk: Row, *keys: str, runner: str = "w1", held: float | None = None
) -> list[Row]:
    """Look up the requests of a chunk; the runner holds answers of this time."""
    return toy.call(
        "look_up_answers",
        p_runner=runner,
        p_chunk_id=chunk["chunk_id"],
        p_lease_no=chunk["lease_no"],
        p_asset_ids=chunk["asset_ids"],
        p_keys=list(keys),
        p_held_at=[held] * len(keys),
    )


def report(
    toy: Toy,
    chunk: Row,
    outcomes: Sequence[str] = ("success",),
    *,
    hit: str | None = None,
    payload: str = PAYLOAD,
    runner: str = "w1",
) -> None:
    """Hand in a chunk's answers; with `hit` they come from the cache, by that key."""
    head = HEAD if hit is None else HEAD | {"from_cache": True, "key": hit}
    many = len(outcomes)
    toy.call(
        "complete_jobs",
        p_runner=runner,
        p_chunk_id=chunk["chunk_id"],
        p_lease_no=chunk["lease_no"],
        p_asset_ids=chunk["asset_ids"][:many],
        p_outcomes=list(outcomes),
        p_faults=["quota" if x == "unsent" else "item" for x in outcomes],
        p_payloads=[payload if x == "success" else None for x in outcomes],
        p_errors=["an equal request is under way" if x == "unsent" else None for x in outcomes],
        p_request_counts=[0 if hit or x == "unsent" else 1 for x in outcomes],
        p_charged=[0 if hit or x == "unsent" else 1 for x in outcomes],
        p_durations_ms=[3] * many,
        p_answers=[json.dumps(head)] * many,
    )


def counts(toy: Toy) -> tuple[int, ...]:
    """Return the hits, misses, coalesced hits and bytes of `look`."""
    (row,) = toy.sql("select * from headgate.v_cache where operation = 'look'")
    return row["hits"], row["misses"], row["coalesced"], row["bytes"]


def test_an_answer_serves_equal_requests_for_as_long_as_declared(cached: Toy):
    cached.add(2)
    first, second = claim(cached)
    assert "headers" in first["call"]["answers"] and first["call"]["cache"]
    assert look(cached, first, "k") == {"k": "fetch"}
    report(cached, first)

    (hit,) = found(cached, second, "k")
    assert (hit["state"], hit["payload"]) == ("hit", PAYLOAD)
    assert json.loads(hit["answer"]) == {"status": 200, "headers": {"etag": "7"}}
    (held,) = found(cached, second, "k", held=hit["answered_at"])
    assert (held["state"], held["payload"], held["answer"]) == ("hit", None, None)
    (newer,) = found(cached, second, "k", held=hit["answered_at"] - 1)
    assert newer["payload"] == PAYLOAD
    report(cached, second, hit="k")

    one, two = sorted(cached.details(), key=lambda x: bool(x["from_cache"]))
    assert (one["from_cache"], one["units"], one["attempts"], one["records"]) == (False, 1, 1, 4)
    assert (two["from_cache"], two["units"], two["attempts"], two["records"]) == (True, 0, 0, 4)
    assert two["status"] == "success" and two["api_calls_used"] == 0
    assert cached.units() == (0, 1)
    assert counts(cached)[:3] == (1, 1, 0)
    cached.finish()

    cached.later(minutes=59)
    third, fourth = claim(cached, "r2")
    assert look(cached, third, "k", runner="w1") == {"k": "hit"}
    cached.later(minutes=2)
    assert look(cached, fourth, "k") == {"k": "fetch"}
    cached.assert_ledger_balances()


def test_equal_requests_are_made_once_and_those_that_wait_hold_nothing(cached: Toy):
    cached.add(2)
    first, second = claim(cached)
    assert look(cached, first, "k") == {"k": "fetch"}
    assert look(cached, first, "k") == {"k": "fetch"}  # its answer was lost on the way
    assert look(cached, second, "k") == {"k": "wait"}

    report(cached, second, ["unsent"])
    (waiting,) = cached.chunks("parked")
    assert waiting["park_reason"] == "an equal request is under way"
    assert cached.units() == (0, 1)
    assert cached.claim() == []
    report(cached, first)

    cached.later(seconds=1)
    (again,) = cached.claim()
    assert look(cached, again, "k") == {"k": "hit"}
    report(cached, again, hit="k")
    assert cached.endings() == {"success": 2}
    assert counts(cached)[:3] == (1, 1, 1)
    assert cached.units() == (0, 1)


def test_of_equal_requests_of_one_chunk_the_first_is_made(toy: Toy):
    toy.tune(cache="1 hour")
    ids = toy.add(3)
    (chunk,) = claim(toy)

    assert look(toy, chunk, "k", "k", "other") == {"k": "fetch", "other": "fetch"}
    assert toy.sql("select asset_id from headgate.fetches where key = 'k'") == [
        {"asset_id": ids[0]}
    ]
    assert look(toy, {**chunk, "asset_ids": ids[1:2]}, "k") == {"k": "wait"}


def test_a_runner_that_died_while_it_fetched_blocks_nobody_beyond_its_lease(cached: Toy):
    cached.add(2)
    dead, other = claim(cached)
    assert look(cached, dead, "k") == {"k": "fetch"}
    assert look(cached, other, "k") == {"k": "wait"}

    cached.expire(dead)
    assert look(cached, other, "k") == {"k": "fetch"}
    report(cached, other)
    report(cached, dead, payload='{"records": 9}')  # it lives after all: its answer replaces none
    assert cached.sql("select payload from headgate.cached_answers") == [{"payload": PAYLOAD}]


@pytest.mark.parametrize(
    ("outcome", "payload"),
    [
        ("failed", PAYLOAD),
        ("retry", PAYLOAD),
        ("success", '{"raise": "22000"}'),
        ("success", '{"status": "failed", "reason": "refused"}'),
        ("success", '{"bad": true}'),
    ],
)
def test_an_answer_that_failed_is_not_kept_and_lets_the_next_one_ask(
    cached: Toy, outcome: str, payload: str
):
    cached.tune(
        expectations=[{"predicate": "!exists ($.body.bad)", "verdict": "failed", "reason": "bad"}]
    )
    cached.add(2)
    first, second = claim(cached)
    look(cached, first, "k")

    report(cached, first, [outcome], payload=payload)

    assert cached.sql("select * from headgate.cached_answers") == []
    assert look(cached, second, "k") == {"k": "fetch"}


def test_a_cached_answer_that_another_job_refuses_is_forgotten(cached: Toy):
    cached.add(2)
    first, second = claim(cached)
    look(cached, first, "k")
    report(cached, first)
    look(cached, second, "k")

    report(cached, second, hit="k", payload='{"raise": "22000"}')

    assert cached.endings() == {"success": 1, "failed": 1}
    assert counts(cached) == (1, 1, 0, 0)
    assert cached.sql("select bytes from headgate.cache_size") == [{"bytes": 0}]


def test_a_hit_says_nothing_of_the_provider(cached: Toy):
    cached.add(2)
    first, second = claim(cached)
    look(cached, first, "k")
    report(cached, first)
    cached.sql("update headgate.breakers set failures = 3")

    look(cached, second, "k")
    report(cached, second, hit="k")

    assert cached.breaker()["failures"] == 3


def test_calls_of_a_paced_provider_take_their_start_times_after_the_cache_was_asked(cached: Toy):
    cached.provider(requests_per_minute=40)
    cached.add(3)
    before = cached.next_start_at()
    first, *_ = claim(cached)

    assert cached.next_start_at() <= max(before, cached.now)
    token = {"p_runner": "w1", "p_chunk_id": first["chunk_id"], "p_lease_no": 1}
    cached.row("take_starts", **token, p_calls=1)
    assert cached.next_start_at() > cached.now


def test_a_runner_that_has_lost_the_lease_gets_no_answer(cached: Toy):
    cached.add()
    (chunk,) = claim(cached)
    with cached.unchanged(), cached.refused("HG012"):
        look(cached, {**chunk, "lease_no": 0}, "k")


def test_a_look_up_returns_eight_megabytes_and_what_is_missing_is_requested_again(toy: Toy):
    toy.tune(cache="1 hour")
    toy.add(3)
    (chunk,) = claim(toy)
    keys = ["a", "b", "c"]
    look(toy, chunk, *keys)
    report(toy, chunk, ["success"] * 3, payload=json.dumps({"text": "x" * 5_000_000}))
    toy.finish()

    (chunk,) = claim(toy, "r2")
    assert look(toy, chunk, *keys) == {"a": "hit", "b": "hit"}
    assert look(toy, chunk, "c") == {"c": "hit"}


def test_the_cache_has_at_most_the_bytes_that_the_setting_says(toy: Toy):
    toy.sql("update headgate.settings set value = '20000' where name = 'cache_bytes'")
    toy.tune(cache="1 hour", chunk_size=5)
    toy.add(25)
    for nth, chunk in enumerate(claim(toy)):
        look(toy, chunk, *(f"k{nth}{n}" for n in range(5)))
        report(toy, chunk, ["success"] * 5, payload=json.dumps({"text": "x" * 1_500}))
        toy.later(seconds=1)

    sums = "select sum(bytes)::int as bytes, min(key) as oldest from headgate.cached_answers"
    (row,) = toy.sql(sums)
    assert 10_000 < row["bytes"] <= 20_000
    assert toy.sql("select bytes from headgate.cache_size") == [{"bytes": row["bytes"]}]
    assert row["oldest"] > "k1"  # those that expire first went first
    assert counts(toy)[3] == row["bytes"]
    (crowded,) = findings(toy)
    assert "that had not expired were deleted for want of room" in crowded["found"]
    assert crowded["found"].endswith("it holds at most 20 kB")

    toy.later(days=2)
    assert findings(toy) == []
    toy.row("maintain_history", p_pipeline="headgate_maintenance", p_run_id="m")
    assert toy.sql("select sum(bytes) as bytes from headgate.cached_answers") == [{"bytes": None}]
    assert toy.sql("select bytes from headgate.cache_size") == [{"bytes": 0}]


def test_the_doctor_names_an_operation_that_is_cached_in_vain(cached: Toy):
    cached.add(1)
    for run in ("r1", "r2", "r3", "r4", "r5"):
        assert findings(cached) == []
        (chunk,) = claim(cached, run)
        look(cached, chunk, run)
        report(cached, chunk)
        cached.finish(run)

    (found,) = findings(cached)
    assert found["subject"] == "answer cache of look"
    assert found["found"] == "0 of 5 requests of its last 5 runs were served by it"
    cached.tune(revalidate=True)
    assert findings(cached) == [], "there an answer may serve after a request"


def findings(toy: Toy) -> list[Row]:
    """Return what the doctor finds of the cache."""
    return [x for x in toy.call("examine") if x["subject"].startswith("answer cache")]


def test_an_answer_of_more_than_an_eighth_of_the_cache_is_not_kept(cached: Toy):
    cached.sql("update headgate.settings set value = '8000' where name = 'cache_bytes'")
    cached.add(2)
    first, second = claim(cached)
    look(cached, first, "k")
    report(cached, first, payload=json.dumps({"text": "x" * 1_001}))

    assert look(cached, second, "k") == {"k": "fetch"}


def test_pairs_that_are_not_due_yet_count_as_hits(toy: Toy):
    toy.sql("update headgate.pipeline_steps set group_keys = null where step = 'a'")
    toy.add(4)
    toy.begin()
    toy.drain()
    toy.finish()
    toy.begin(run="r2")
    toy.finish("r2")

    assert counts(toy) == (4, 4, 0, 0)
