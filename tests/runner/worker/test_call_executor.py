"""Calls start while there is room, up to the limits of worker and provider."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from headgate.worker.buffer import Buffer
from headgate.worker.call_executor import CallExecutor
from headgate.worker.calls import Caller
from headgate.worker.leases import CallLease
from headgate.worker.pace import Pace, ServerClock, Starts
from headgate.worker.provider_state import Providers
from tests.limits import until
from tests.runner.shop import Shop, json_of, never, text_of, when
from tests.runner.small_plan import OK, REFUSED
from tests.runner.worker.parts import chunk_of, lease_of

SCHEDULE = {"asked_at": 0.0, "start_in": 0.0, "every": 1.0, "burst": 1, "starts": 0}


class Noting(CallExecutor):
    """A caller of at most three calls at once that records the callbacks."""

    def __init__(self, caller: Caller) -> None:
        self.results: list[CallLease] = []
        self.starved: list[tuple[CallLease, int]] = []
        self.looking: list[CallLease] = []
        super().__init__(
            caller,
            Providers(),
            ServerClock(),
            3,
            self.results.append,
            self._note_starved,
            lambda held, _: self.looking.append(held),
        )

    def grant(self, pace: Pace) -> None:
        """Give the shop's calls times to start."""
        self.providers.of("shop").starts.add(pace)

    def _note_starved(self, held: CallLease, starts: Starts, calls: int) -> None:
        self.starved.append((held, calls))


def lease(shop: Shop, jobs: int, **call: Any) -> Any:
    """Lease a chunk just now, with calls to the shop."""
    chunk = chunk_of(jobs, url=shop.url, call={"in_flight": 10} | call)
    held = lease_of(chunk, at=asyncio.get_running_loop().time())
    return held


@pytest.fixture
async def executor():
    """Make a call executor."""
    caller = Caller(3, Buffer(2**28))
    made = Noting(caller)
    yield made
    await made.finish([], 0)
    await caller.aclose()


async def test_no_more_calls_are_open_than_it_may_make(executor, shop):
    shop.answer = shop.together(3, json_of("{}"))
    held = lease(shop, 7, in_flight=10)
    executor.take(held)

    await until(lambda: held.is_ended)
    assert shop.most_open == 3
    assert len(shop.asked) == len(executor.results) == 7
    assert (executor.open, executor.providers.load) == (0, 0)
    assert executor.buffered == 7 * 2, "bytes that are not handed in"
    executor.freed(7 * 2)
    assert executor.buffered == 0


async def test_no_more_calls_start_than_the_provider_allows(executor, shop):
    shop.answer = shop.together(2, json_of("{}"))
    held = lease(shop, 6, in_flight=2)
    executor.take(held)

    await until(lambda: held.is_ended)
    assert shop.most_open == 2


async def test_a_chunk_that_is_given_up_ends_the_calls_that_are_open_and_starts_none(
    executor, shop
):
    answered: list[bool] = []
    shop.answer = when(lambda: answered)
    held = lease(shop, 5, in_flight=2)
    executor.take(held)
    await until(lambda: shop.open == 2)

    executor.give_up(held, "the provider is blocked")
    answered.append(True)

    await until(lambda: held.is_ended)
    assert len(shop.asked) == 2
    assert sorted(held.take_report().outcomes) == ["success"] * 2 + ["unsent"] * 3


async def test_a_block_is_reported_once_for_all_calls_of_a_chunk(executor, shop, caplog):
    shop.answer = shop.together(3, text_of("", status=401))
    held = lease(shop, 3, rules=[OK, REFUSED])
    executor.take(held)

    await until(lambda: held.is_ended)
    assert [x for x in caplog.messages if "blocked" in x] == ["shop is blocked: refused (401)"]


async def test_a_chunk_that_is_lost_is_forgotten(executor, shop):
    shop.answer = never()
    held = lease(shop, 3, in_flight=1)
    executor.take(held)
    await until(lambda: shop.open == 1)

    executor.drop(held)

    await until(lambda: not held.open)
    assert held.is_ended and not held.has_report
    assert (executor.open, executor.providers.load, executor.results) == (0, 0, [])


async def test_calls_that_have_no_times_to_start_ask_for_them_once(executor, shop):
    held = lease(shop, 2, schedule=SCHEDULE)
    executor.grant(Pace(next_at=0.0, every=0.0, burst=1, left=1))
    executor.take(held)

    await until(lambda: len(shop.asked) == 1)
    await until(lambda: not held.open)
    executor.pump()
    assert executor.starved == [(held, 1)] and executor.providers.of("shop").starts.asking == 1


async def test_times_that_a_chunk_does_not_use_are_used_by_another(executor, shop):
    given_up, held = lease(shop, 2, schedule=SCHEDULE), lease(shop, 2, schedule=SCHEDULE)
    executor.take(given_up)
    executor.give_up(given_up, "the provider is blocked")
    executor.take(held)
    assert executor.starved == [(given_up, 2)]

    executor.providers.of("shop").starts.asking = 0
    executor.grant(Pace(next_at=0.0, every=0.0, burst=1, left=2))
    executor.pump()

    await until(lambda: held.is_ended)
    assert executor.starved == [(given_up, 2)]


async def test_a_call_whose_time_comes_while_others_are_looked_at_starts(
    executor, shop, monkeypatch
):
    look = executor._next

    def look_and_be_slow():
        found = look()
        time.sleep(0.02)
        return found

    monkeypatch.setattr(executor, "_next", look_and_be_slow)
    held = lease(shop, 1, schedule=SCHEDULE)
    executor.grant(Pace(asyncio.get_running_loop().time() + 0.01, every=1.0, burst=1, left=1))
    executor.take(held)

    await until(lambda: len(shop.asked) == 1)


async def test_no_more_times_are_asked_for_than_calls_may_start(executor, shop):
    shop.answer = never()
    first = lease(shop, 1)
    second, third = lease(shop, 5, schedule=SCHEDULE), lease(shop, 5, schedule=SCHEDULE)
    assert executor.room == 3
    executor.take(first)
    executor.take(second)
    executor.take(third)

    assert executor.starved == [(second, 2)] and executor.room == 0


async def test_few_times_are_asked_for_at_once_where_many_are_still_to_come(executor, shop):
    held = lease(shop, 5, schedule=SCHEDULE)
    at = asyncio.get_running_loop().time()
    executor.grant(Pace(at + 600, every=1.0, burst=1, left=2))
    executor.take(held)
    assert executor.starved == [] and executor.room == 1, "two are promised, there is room for one"


async def test_calls_that_take_too_long_at_the_end_are_cut(executor, shop):
    shop.answer = never()
    held = lease(shop, 1)
    executor.take(held)
    await until(lambda: shop.open == 1)

    await executor.finish([held], 0.01)

    report = held.take_report()
    assert (report.outcomes, report.errors) == (["retry"], ["cut by shutdown"])
