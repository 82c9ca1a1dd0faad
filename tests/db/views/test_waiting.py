"""v_waiting shows why everything that waits does so, and until when; v_leases shows who holds the rest."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.db.conftest import Toys
from tests.db.toy import NOON, Toy

ROWS = "select * from headgate.v_waiting order by reason"


def waiting(toy: Toy) -> list[tuple[Any, ...]]:
    """Return the waiting work: step, operation, reason, jobs, until when."""
    columns = ("step", "operation", "reason", "jobs", "next_try_at")
    return [tuple(x[y] for y in columns) for x in toy.sql(ROWS)]


def reasons(toy: Toy) -> dict[str, datetime | None]:
    """Return why work waits, and until when."""
    return {x["reason"]: x["next_try_at"] for x in toy.sql(ROWS)}


@pytest.fixture
def served(toy: Toy) -> Toy:
    """Let a runner send a heartbeat."""
    toy.row("heartbeat", p_runner="w9", p_host="here", p_pid=7, p_version="0.1.0")
    return toy


def test_a_parked_job_waits_for_its_retry_with_its_last_error(toy: Toy):
    toy.add(3)
    toy.begin()
    (chunk,) = toy.claim()
    toy.complete(chunk, "retry", fault="provider")

    (row,) = toy.sql(ROWS)
    assert (row["pipeline"], row["run_id"], row["step"]) == ("plain", "r1", "a")
    assert (row["operation"], row["reason"]) == ("look", "provider: it went wrong")
    assert (row["jobs"], row["retries"]) == (3, 1)
    assert NOON < row["next_try_at"] < NOON + timedelta(seconds=10)
    assert row["gives_up_at"] == NOON + timedelta(minutes=15)


def test_a_parked_job_of_a_blocked_provider_waits_for_the_block_to_end(toy: Toy):
    toy.add(1)
    toy.begin()
    (chunk,) = toy.claim()
    toy.complete(chunk, "retry", fault="provider")
    until = NOON + timedelta(minutes=5)
    toy.provider(blocked_until=str(until))

    assert reasons(toy) == {"provider: it went wrong": until}


def test_work_of_a_blocked_provider_waits_for_it(toy: Toy):
    toy.add(12)
    toy.begin()
    until = NOON + timedelta(minutes=5)
    toy.provider(blocked_until=str(until), reason="they moved")

    assert waiting(toy) == [("a", "look", "they moved", 12, until)]


def test_work_of_a_blocked_operation_waits_for_it(toy: Toy):
    toy.add(2)
    toy.begin()
    until = NOON + timedelta(minutes=5)
    toy.provider(operation="look", blocked_until=str(until), reason="it is broken")

    assert waiting(toy) == [("a", "look", "provider: it is broken", 2, until)]


def test_while_a_probe_is_out_the_others_wait_for_its_answer(toy: Toy):
    toy.add(12)
    toy.begin()
    toy.sql(
        "update headgate.breakers set opened = 1, blocked_until = headgate.clock()"
        " where provider_id is not null"
    )

    assert [x for x in reasons(toy) if "probes it" in x]


def test_a_window_that_the_provider_closed_is_waited_for(toy: Toy):
    toy.add(2)
    toy.begin()
    toy.sql("update headgate.quota_windows set blocked_until = closes_at")

    assert reasons(toy) == {"quota: the provider reports it as exhausted": toy.window_closes()}


def test_no_call_starts_in_a_window_s_last_moments(toy: Toy):
    toy.add(2)
    toy.begin()
    toy.at(toy.window_closes() - timedelta(seconds=2))

    assert reasons(toy) == {"quota: the window is about to be reset": toy.window_closes()}


def test_a_rate_limit_is_a_reason_to_wait(toy: Toy):
    toy.provider(requests_per_minute=10)
    toy.add(20)
    toy.begin()
    assert sum(len(x["asset_ids"]) for x in toy.claim(chunks=20)) == 2

    next_start_at = toy.next_start_at()
    expected = ("a", "look", "rate limit: 10 requests a minute", 18, next_start_at)
    assert waiting(toy) == [expected]


def test_a_paused_pipeline_waits_until_it_is_resumed(toy: Toy):
    toy.add(2)
    toy.begin()
    toy.call("pause_pipeline", p_pipeline="plain")
    assert waiting(toy) == [("a", "look", "the pipeline is paused", 2, None)]

    toy.call("resume_pipeline", p_pipeline="plain")
    assert "the pipeline is paused" not in reasons(toy)


def test_without_any_runner_the_queue_waits_for_one(toy: Toy):
    toy.add(2)
    toy.begin()

    assert waiting(toy) == [("a", "look", "no runner is connected", 2, None)]


def test_a_run_that_no_runner_carries_on_waits_for_one_also_between_two_steps(toy: Toy):
    toy.add(2)
    toy.call("run_pipeline", p_pipeline="plain", p_run_id="r1")

    assert waiting(toy) == [("quota", None, "no runner is connected", 1, None)]
    (action,) = toy.call("next_actions", p_pipeline="plain", p_run_id="r1")
    assert (action["action"], action["found"]) == (
        "work",
        "step quota waits: no runner is connected",
    )
    toy.row("heartbeat", p_runner="w9", p_host="here", p_pid=7, p_version="0.1.0")
    assert waiting(toy) == []


def test_a_paused_run_waits_also_before_it_is_planned(toy: Toy):
    toy.start()
    toy.call("pause_pipeline", p_pipeline="plain")

    assert waiting(toy) == [("quota", None, "the pipeline is paused", 1, None)]


def test_runners_that_leave_a_queue_alone_are_reported(served: Toy):
    served.add(2)
    served.begin()

    (reason,) = reasons(served)
    assert reason.startswith("no runner takes it from queue shop_normal: ")
    assert reason.endswith("or lack the secret SHOP_TOKEN")


def test_work_that_is_next_in_turn_is_not_listed(served: Toy):
    served.add(12)
    served.begin()
    assert served.claim()

    assert waiting(served) == []


def test_a_runner_that_is_gone_is_waited_for_until_its_leases_end(toy: Toy):
    toy.add(12)
    toy.begin()
    for chunk in toy.claim(chunks=2, runner="ghost"):
        assert chunk["chunk_id"]
    (lease,) = toy.sql("select * from headgate.v_leases")
    assert (lease["runner"], lease["chunks"], lease["jobs"]) == ("ghost", 2, 12)
    assert (lease["is_silent"], lease["reason"]) == (False, None)
    assert waiting(toy) == []

    toy.sql("update headgate.chunks set leased_until = leased_until - interval '3 minutes'")

    (row,) = toy.sql(ROWS)
    (lease,) = toy.sql("select * from headgate.v_leases")
    assert (row["reason"], row["jobs"]) == ("runner ghost is gone", 12)
    assert lease["leased_until"] - lease["heard_at"] == timedelta(minutes=5)
    assert NOON + timedelta(minutes=1) < row["next_try_at"] < NOON + timedelta(minutes=2, seconds=1)
    assert (lease["is_silent"], lease["reason"]) == (True, row["reason"])


def test_a_runner_that_extends_its_leases_is_not_gone(toy: Toy):
    toy.add(2)
    toy.begin()
    (chunk,) = toy.claim()
    toy.sql("update headgate.chunks set leased_until = leased_until - interval '3 minutes'")
    toy.call(
        "extend_leases",
        p_runner="w1",
        p_chunk_ids=[chunk["chunk_id"]],
        p_lease_nos=[chunk["lease_no"]],
    )

    assert waiting(toy) == []


@pytest.mark.parametrize(
    ("params", "reason", "earliest"),
    [
        ({"quota": 11}, "quota exhausted before this asset's rank", timedelta(hours=12)),
        ({"max_new": 1}, "the run's asset limit is reached", timedelta(0)),
    ],
    ids=["quota", "max_assets"],
)
def test_work_left_out_of_a_plan_waits_for_the_next_run(
    toy: Toy, params: dict[str, Any], reason: str, earliest: timedelta
):
    toy.add(3, "W", "books")
    toy.begin("west", run="r1", pipeline="library", **params)
    toy.drain()

    assert sorted(waiting(toy)) == [
        ("west", operation, reason, 2, NOON + earliest) for operation in ("history", "open")
    ]


def test_only_the_newest_run_s_plan_counts_and_open_ones(toy: Toy):
    toy.add(2, "W", "books")
    toy.begin("west", run="r1", pipeline="library", max_new=1)
    toy.drain()
    toy.finish("r1", "library")
    assert {x["run_id"] for x in toy.sql(ROWS)} == {"r1"}

    toy.begin("west", run="r2", pipeline="library")
    toy.drain()
    toy.finish("r2", "library")

    assert toy.sql(ROWS) == []


def test_a_reader_may_ask(toys: Toys):
    toys.one.add(2)
    toys.one.begin()
    reader = toys.another()
    reader.sql("set role headgate_reader")

    assert [x["reason"] for x in reader.sql(ROWS)] == ["no runner is connected"]
