"""Calls start at their granted times and never in a burst, however late the runner is."""

from __future__ import annotations

import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.worker.call_executor import CallExecutor
from headgate.worker.pace import Pace, Schedule, ServerClock, Starts
from headgate.worker.worker import work
from tests.limits import PATIENCE
from tests.runner.shop import slow
from tests.runner.small_plan import start, status, write_plan

LOOKS = st.lists(st.floats(0, 0.5), min_size=1, max_size=200)


def granted(start_in: float, every: float, burst: int, *, calls: int, now: float) -> Pace:
    """Return times that were granted a moment ago."""
    return Pace.of(Schedule(1e9, start_in, every, burst, calls), ServerClock(), now)


def starts(pace: Pace, looks: list[float]) -> list[float]:
    """Start whatever may start, at moments that the machine chooses."""
    found, now = [], 0.0
    for wait in looks:
        now += wait
        while pace.may_start(now):
            pace.take()
            found.append(now)
    return found


def most_in(found: list[float], seconds: float) -> int:
    """Return the maximum number of starts within a period."""
    return max((sum(x <= y < x + seconds for y in found) for x in found), default=0)


@given(looks=LOOKS, burst=st.integers(1, 10))
def test_no_second_holds_more_than_the_pace_and_a_burst(looks, burst):
    pace = granted(-(burst - 1) * 0.05, 0.05, burst, calls=500, now=0.0)

    assert most_in(starts(pace, looks), 1.0) <= 20 + burst


@given(looks=LOOKS)
def test_no_call_starts_before_its_time_and_none_is_lost_to_a_runner_in_time(looks):
    early = granted(1.0, 0.05, 1, calls=20, now=0.0)
    assert all(x >= 1.0 for x in starts(early, looks))

    exact = granted(0.0, 0.05, 1, calls=20, now=0.0)
    assert len(starts(exact, [0.0, *[0.01] * 200])) == 20


def test_times_that_passed_long_ago_lapse():
    pace = granted(0.0, 0.05, 1, calls=20, now=0.0)

    assert not pace.may_start(-0.01)
    assert starts(pace, [0.51]) == [0.51], "nobody makes up for ten of them at once"
    assert pace.left == 9


def test_the_times_of_several_grants_are_used_in_order_however_they_arrive():
    starts = Starts()
    starts.add(Pace(next_at=2.0, every=0.5, burst=1, left=2))
    starts.add(Pace(next_at=1.0, every=0.5, burst=1, left=1))
    starts.asking = 4
    assert (starts.next_at, starts.promised) == (1.0, 7)

    assert not starts.may_start(0.9)
    assert starts.may_start(1.0)
    starts.take()
    assert (starts.next_at, starts.promised) == (2.0, 6)
    assert not starts.may_start(9.0), "those left have lapsed"
    assert (starts.next_at, starts.promised) == (math.inf, 4)


def test_without_a_limit_any_more_all_may_start():
    pace = granted(0.0, 0.0, 1, calls=20, now=5.0)

    assert len(starts(pace, [5.0])) == 20


def test_a_slow_answer_does_not_shift_the_times_it_brings():
    clock = ServerClock()
    assert clock.loop_time(1000.0, 5.001) == pytest.approx(
        5.001
    )  # the first answer's delay is unknown
    assert clock.loop_time(1010.0, 15.4) == pytest.approx(15.001, abs=0.002)
    assert clock.loop_time(1020.0, 25.0005) == pytest.approx(25.0005)
    assert clock.loop_time(1030.0, 535.0) == pytest.approx(535.0), "a clock was set"


@pytest.mark.parametrize("latency", [0.0, 0.5])
async def test_all_runners_together_keep_the_pace(
    core_plan, core_database, shop, monkeypatch, latency
):
    shop.answer = slow(latency)
    write_plan(
        core_plan,
        base_url=shop.url,
        assets=60,
        provider_columns={"requests_per_minute": 1200, "max_in_flight": 6},
        operation_columns={"chunk_size": 15},
    )
    start(core_plan)
    found: list[float] = []
    begin = CallExecutor._start

    def note(self, held):
        found.append(asyncio.get_running_loop().time())
        begin(self, held)

    monkeypatch.setattr(CallExecutor, "_start", note)

    async def has_ended() -> bool:
        return bool(status(core_plan)["status"] != "running")

    begun = asyncio.get_running_loop().time()
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(work(core_database, until=has_ended) for _ in range(2)))

    assert len(found) == len(shop.asked) == 60
    # Two may start at once, and the two runners' clocks may differ by a few starts.
    early = [(x - begun) / 0.05 for x in sorted(found)]
    assert all(x >= nth - 2 - 4 for nth, x in enumerate(early))
    assert core_plan.scalar("select count(*) from public.answers") == 60
