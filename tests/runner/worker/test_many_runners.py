"""Many runners together reach the limit of a provider, and never exceed it. Time is simulated: it passes when all wait."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from headgate.worker.call_executor import CallExecutor
from headgate.worker.calls import Reply
from headgate.worker.leases import CallLease
from headgate.worker.pace import Pace, ServerClock, Starts
from headgate.worker.provider_state import Providers
from tests.runner.worker.parts import chunk_of, lease_of, reply

RATE = 200
ANSWER_SECONDS = 0.2
REQUEST_SECONDS = 0.004
SECONDS = 4.0
SCHEDULE = {"asked_at": 0.0, "start_in": 0.0, "every": 1.02 / RATE, "burst": 1, "starts": 0}


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop whose time jumps to the next timer as soon as nothing else can run."""

    now = 0.0

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:  # type: ignore[attr-defined]
            self.now = max(self.now, self._scheduled[0].when())  # type: ignore[attr-defined]
        super()._run_once()  # type: ignore[misc]


class Provider:
    """A provider that answers after a while, and the row with its next time to start."""

    def __init__(self) -> None:
        self.arrivals: list[float] = []
        self.requests = 0
        self._next_start_at = 0.0

    async def fetch(self, *_: Any) -> Reply:
        self.arrivals.append(asyncio.get_running_loop().time())
        await asyncio.sleep(ANSWER_SECONDS)
        return reply()

    def grant(self, calls: int) -> Pace:
        """Grant times to start as headgate.take_starts does."""
        self.requests += 1
        every = float(SCHEDULE["every"])
        first = max(self._next_start_at, asyncio.get_running_loop().time())
        self._next_start_at = first + calls * every
        return Pace(first, every, 1, calls)


class Runner:
    """A runner that never runs out of chunks; its claims bring no times to start."""

    def __init__(self, provider: Provider, in_flight: int) -> None:
        self._provider = provider
        self._in_flight = in_flight
        self._tasks: set[asyncio.Task[None]] = set()
        self._helds: list[CallLease] = []
        self._executor = CallExecutor(
            provider,  # type: ignore[arg-type]
            Providers(),
            ServerClock(),
            in_flight,
            lambda _: self.claim(),
            self._ask,
            lambda *_: None,
        )

    def claim(self) -> None:
        call = {"in_flight": 1000, "schedule": SCHEDULE}
        while self._executor.providers.load < 2 * self._in_flight:
            self._helds.append(lease_of(chunk_of(2 * self._in_flight, call=call)))
            self._executor.take(self._helds[-1])

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await self._executor.finish(self._helds, 0)

    def _ask(self, held: CallLease, starts: Starts, calls: int) -> None:
        self._tasks.add(asyncio.create_task(self._take_starts(starts, calls)))

    async def _take_starts(self, starts: Starts, calls: int) -> None:
        await asyncio.sleep(REQUEST_SECONDS / 2)
        pace = self._provider.grant(calls)
        await asyncio.sleep(REQUEST_SECONDS / 2)
        starts.add(pace)
        starts.asking -= calls
        self._executor.pump()


@pytest.mark.parametrize(("runners", "in_flight"), [(4, 5), (16, 5), (1, 50), (16, 50)])
def test_calls_follow_the_runners_up_to_the_provider_s_limit(runners, in_flight):
    provider = Provider()

    async def work() -> None:
        made = [Runner(provider, in_flight) for _ in range(runners)]
        for runner in made:
            runner.claim()
        await asyncio.sleep(SECONDS)
        for runner in made:
            await runner.end()

    with asyncio.Runner(loop_factory=SimulatedLoop) as simulation:
        simulation.run(work())

    possible = min(RATE, runners * in_flight / ANSWER_SECONDS)
    steady = [x for x in provider.arrivals if x >= 1]
    assert len(steady) >= 0.95 * possible * (SECONDS - 1)
    assert all(y - x > 1 for x, y in zip(provider.arrivals, provider.arrivals[RATE:], strict=False))
    assert provider.requests <= len(provider.arrivals) + runners
