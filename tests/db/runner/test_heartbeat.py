"""A killed runner is detected, and one that is only slow is not (heartbeat.sql, end_runner.sql)."""

from __future__ import annotations

import time

import pytest

from tests.db.conftest import Toys
from tests.db.toy import Toy

BEAT = {"p_host": "here", "p_pid": 7, "p_version": "0.1.0"}
SECONDS = 120


def beat(toy: Toy, runner: str = "w2") -> int:
    """Send a heartbeat; return how many leases it ended."""
    return int(toy.row("heartbeat", p_runner=runner, **BEAT)["ended_leases"])


def is_settled(toy: Toy) -> bool:
    """Return whether the server has run long enough for silence to mean something."""
    return bool(
        toy.scalar("select pg_postmaster_start_time() < clock_timestamp() - interval '15 seconds'")
    )


@pytest.fixture
def killed(toy: Toy) -> Toy:
    """Let a runner hold a chunk, fall silent for eight seconds, and lose its connection."""
    deadline = time.monotonic() + SECONDS
    while not is_settled(toy) and time.monotonic() < deadline:
        time.sleep(0.1)
    toy.add(3)
    toy.begin()
    toy.claim("w1")
    beat(toy, "w1")
    toy.sql(
        "update headgate.runners set backend_pid = 0, started_at = clock_timestamp() - interval '1 hour',"
        " last_seen_at = clock_timestamp() - interval '8 seconds'"
    )
    return toy


def test_the_leases_of_a_runner_that_was_killed_end_at_once(killed: Toy):
    assert killed.claim("w2") == []
    assert beat(killed) == 1

    (chunk,) = killed.claim("w2")
    assert chunk["lease_no"] == 2
    assert killed.units() == (0, 6), "what may have been sent is charged again"
    assert killed.chunks()[0]["lost_reason"] == "its runner w1 is gone"


def test_the_token_of_a_killed_runner_is_worth_nothing_once_another_has_the_chunk(killed: Toy):
    (old,) = killed.chunks("leased")
    beat(killed)
    killed.claim("w2")

    with killed.unchanged(), killed.refused("HG012"):
        killed.complete({**old, "lease_no": 1}, runner="w1")


@pytest.mark.parametrize("seconds", [0, 3, 6])
def test_a_runner_that_was_heard_of_lately_is_not_gone(killed: Toy, seconds: int):
    killed.sql(
        "update headgate.runners set last_seen_at = clock_timestamp() - make_interval(secs => %(n)s)",
        n=seconds,
    )
    assert beat(killed) == 0


def test_a_runner_whose_connection_is_there_is_not_gone_however_long_it_is_silent(toys: Toys):
    one, stopped = toys.one, toys.another()
    stopped.sql("set application_name = 'headgate worker'")
    one.add(3)
    one.begin()
    stopped.claim("w1")
    beat(stopped, "w1")
    one.sql(
        "update headgate.runners set started_at = '2020-01-01',"
        " last_seen_at = clock_timestamp() - interval '1 hour'"
    )

    assert beat(one) == 0
    assert one.chunks()[0]["state"] == "leased"


def test_a_runner_is_seen_with_what_it_holds(toy: Toy):
    toy.add(3)
    toy.begin()
    toy.claim("w1")
    beat(toy, "w1")
    beat(toy, "w2")

    rows = toy.sql("select runner, host, pid, version, leases, jobs from headgate.v_runners")
    assert {x["runner"]: (x["leases"], x["jobs"]) for x in rows} == {"w1": (1, 3), "w2": (0, 0)}
    assert {(x["host"], x["pid"], x["version"]) for x in rows} == {("here", 7, "0.1.0")}


def test_a_runner_s_figures_are_those_it_sent_last(toy: Toy):
    figures = {
        "calls": 12,
        "connections_opened": 2,
        "connections_reused": 10,
        "memory": 50_000_000,
        "peak_memory": 60_000_000,
        "cpu_percent": 12.5,
        "disk_percent": 40.0,
    }
    beat(toy)
    (before,) = toy.sql("select * from headgate.v_runners")
    toy.call("heartbeat", p_runner="w2", **BEAT, p_figures=figures)
    beat(toy)
    (row,) = toy.sql("select * from headgate.v_runners")

    assert {before[x] for x in figures} == {None}
    assert {x: row[x] for x in figures} == figures
    assert toy.scalar("select measured_at <= last_seen_at from headgate.runners")


def test_runners_that_are_gone_are_forgotten_with_old_history(toy: Toy):
    beat(toy, "old")
    beat(toy, "w2")
    toy.sql(
        "update headgate.runners set started_at = '2020-01-01', last_seen_at = '2020-01-02'"
        " where runner = 'old'"
    )
    toy.call("retain", p_keep="30 days")

    assert [x["runner"] for x in toy.sql("select runner from headgate.v_runners")] == ["w2"]


def test_a_runner_that_ends_in_good_order_is_forgotten_with_those_of_days_ago(toy: Toy):
    for runner in ("w1", "w2", "old"):
        beat(toy, runner)
    toy.sql(
        "update headgate.runners set started_at = '2020-01-01', last_seen_at = '2020-01-02'"
        " where runner = 'old'"
    )

    assert toy.value("end_runner", p_runner="w1") == 2
    assert [x["runner"] for x in toy.sql("select runner from headgate.v_runners")] == ["w2"]
