"""Claims just enough chunks that the calls under way never run dry."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Sequence
from typing import Final

import psycopg

from headgate.database import from_psycopg
from headgate.errors import NotMigrated, SecretMissing, WrongPlan
from headgate.worker.auth import Auth
from headgate.worker.call_executor import CallExecutor
from headgate.worker.chunks import Call, Chunk, Claim
from headgate.worker.completer import Completer
from headgate.worker.completion import reason_of
from headgate.worker.connection_pool import ConnectionPool
from headgate.worker.group_lease import GroupLease
from headgate.worker.handler_executor import HandlerExecutor
from headgate.worker.leases import CallLease
from headgate.worker.pace import Pace
from headgate.worker.provider_state import MAX_CHUNKS, ProviderState
from headgate.worker.queue import Queue
from headgate.worker.reports import UniformReport

logger = logging.getLogger(__name__)

LONGEST_WAIT: Final = 30.0
MAX_FRUITLESS: Final = 3
MAX_FAILURES: Final = 5
MAX_AT_ONCE: Final = 100
MISSING: Final = ("42883", "42P01", "3F000")


class Producer:
    """Decides when to claim chunks, and starts work on them."""

    def __init__(
        self,
        connections: ConnectionPool,
        executor: CallExecutor,
        completer: Completer,
        handler_executor: HandlerExecutor,
        concurrency: int,
    ) -> None:
        self.wake = asyncio.Event()
        """Set when there may be something new to claim."""
        self.is_stopping = False
        self.asked = asyncio.Event()
        """Set after each claim, for the task that watches for the end."""
        self._connections = connections
        self._executor = executor
        self._providers = executor.providers
        self._completer = completer
        self._handler_executor = handler_executor
        self._target = 2 * concurrency
        """The number of calls to hold: as many wait as may be open."""
        self._chunk_calls = float(concurrency)
        self._room = asyncio.Event()
        self._without_secret: dict[str, Auth] = {}
        self._fruitless = 0
        self._failures = 0
        self._at_once = 0
        self._may_advance = True

    async def feed(self) -> None:
        """Claim whenever there is room; without work, sleep until some is due or sent.

        A wake-up may mean that a step has ended, so executions are advanced before the claim.
        """
        while not self.is_stopping:
            self._room.clear()
            wanted = self._wanted(self._target - self._providers.load)
            if wanted == 0:
                await self._room.wait()
                continue
            self._may_advance |= self.wake.is_set()
            self.wake.clear()
            claim = await self._claim(wanted)
            self.asked.set()
            if claim.chunks:
                self.take(claim)
                await self._breathe()
            elif not self._may_advance:
                await self._sleep(claim.wait_seconds)
                self._may_advance = True

    def stop(self) -> None:
        """Claim nothing more; chunks that a claim under way brings are released."""
        self.is_stopping = True
        self.wake.set()
        self._room.set()

    def wanted_after(self, chunk: Chunk) -> int:
        """Return the number of chunks to claim together with the completion of this one."""
        state = self._providers.of(chunk.provider)
        if self.is_stopping or self._fruitless or state.provider in self._without_secret:
            return 0
        if chunk.handler is not None:
            return self._handler_executor.room(state)
        if chunk.urls is None:
            return self._wanted_reports(state, chunk)
        return self._wanted(
            min(self._target - self._providers.load, self._target_of(state) - state.load)
        )

    @property
    def room(self) -> int:
        """Return the number of calls for which a claim may bring times to start."""
        return self._executor.room

    def avoided(self) -> Sequence[str]:
        """Return the providers to avoid: without a secret, with enough work, or just stopped."""
        for state in self._providers:
            state.was_avoided = self._is_full(state)
        full = {state.provider for state in self._providers if state.was_avoided}
        self._without_secret = {x: y for x, y in self._without_secret.items() if not _is_set(y)}
        return sorted(self._without_secret.keys() | full)

    def take(self, claim: Claim) -> None:
        """Start work on claimed chunks."""
        for chunk in claim.chunks:
            self._take_safely(chunk, claim.at)

    def chunk_ended(self, *, was_fruitless: bool, has_next: bool) -> None:
        """Look for more work: the end of a chunk may have made other work ready."""
        self._fruitless = self._fruitless + 1 if was_fruitless else 0
        if not has_next:
            self.wake.set()
        self.note_room()

    def note_room(self) -> None:
        """Wake the claiming task if there is room for more calls."""
        if self._providers.load < self._target:
            self._room.set()
        for state in self._providers:
            if state.was_avoided and not self._is_full(state):
                state.was_avoided = False
                self.wake.set()

    def _take_safely(self, chunk: Chunk, at: float) -> None:
        """Take a chunk; one that this runner cannot use is deferred alone, as an internal fault."""
        try:
            self._take(chunk, at)
        except Exception as exc:
            logger.exception("chunk %s of %s cannot be used", chunk.chunk_id, chunk.operation)
            self._defer(chunk, f"the runner cannot use it: {reason_of(exc)}")

    def _take(self, chunk: Chunk, at: float) -> None:
        if self.is_stopping:
            self._completer.keeper.give_back([chunk])
        elif chunk.handler is not None:
            self._learn_size(self._target / self._handler_executor.most)
            self._handler_executor.take(chunk, at)
        elif chunk.urls is None:
            self._learn_size(self._target / self._connections.size)
            self._completer.end(chunk, UniformReport(chunk.asset_ids, "success"))
        else:
            self._take_calls(chunk, chunk.urls, at)

    def _take_calls(self, chunk: Chunk, urls: list[str | None], at: float) -> None:
        try:
            call = Call.from_row(chunk.call)
            call.auth.secret()
        except WrongPlan as exc:
            logger.error("%s cannot be called: %s", chunk.operation, exc)
            self._defer(chunk, str(exc))
        except SecretMissing as exc:
            if chunk.provider not in self._without_secret:
                logger.error("nothing can be asked of %s: %s", chunk.provider, exc)
            self._without_secret[chunk.provider] = call.auth
            self._completer.keeper.give_back([chunk])
        else:
            self._learn_size(len(urls))
            held = (GroupLease if call.serves_all else CallLease)(chunk, at, call, urls)
            if call.schedule is not None:
                now = asyncio.get_running_loop().time()
                pace = Pace.of(call.schedule, self._executor.clock, now)
                self._providers.of(chunk.provider).starts.add(pace)
            self._completer.keeper.hold(held)
            self._executor.take(held)

    def _wanted_reports(self, state: ProviderState, chunk: Chunk) -> int:
        """Return the number of chunks without calls to claim with the completion of some.

        Each connection hands in some while as many wait for the next that is free.
        """
        most = self._completer.endings.most_together(chunk)
        return max(0, min(most, most * (self._connections.size + 1) - state.uniform_reports))

    def _defer(self, chunk: Chunk, reason: str) -> None:
        self._completer.end(chunk, UniformReport(chunk.asset_ids, "deferred", "internal", reason))

    def _wanted(self, room: float) -> int:
        return max(0, min(MAX_CHUNKS, math.ceil(room / self._chunk_calls)))

    def _learn_size(self, calls: float) -> None:
        self._chunk_calls += 0.3 * (max(1.0, calls) - self._chunk_calls)

    def _is_full(self, state: ProviderState) -> bool:
        is_busy = (
            state.load >= self._target_of(state)
            or state.uniform_reports >= self._connections.size
            or (state.handlings > 0 and not self._handler_executor.room(state))
        )
        return is_busy or state.is_stopped()

    def _target_of(self, state: ProviderState) -> int:
        return min(self._target, 2 * state.in_flight) if state.load else self._target

    async def _claim(self, wanted: int) -> Claim:
        """Advance executions if some may go on, and claim.

        A temporary error is logged and tried again later; a lasting one is raised.
        """
        try:
            if self._may_advance:
                self._may_advance = await self._connections.run(Queue.advance)
            claim = await self._connections.run(
                lambda queue: queue.claim(wanted, self.avoided(), self.room)
            )
        except psycopg.Error as exc:
            self._failures += 1
            if exc.sqlstate in MISSING:
                raise NotMigrated("the database lacks the functions a runner calls") from exc
            if (exc.sqlstate or "").startswith("42") or self._failures >= MAX_FAILURES:
                raise from_psycopg(exc) from exc
            logger.error("nothing could be claimed: %s", from_psycopg(exc))
            return Claim(0.0, wait_seconds=float(self._failures))
        self._failures = 0
        return claim

    async def _breathe(self) -> None:
        """Sleep if chunks keep coming and going without a call."""
        if self._fruitless >= MAX_FRUITLESS:
            await asyncio.sleep(min(5.0, 0.1 * 2 ** (self._fruitless - MAX_FRUITLESS)))

    async def _sleep(self, seconds: float | None) -> None:
        wait = LONGEST_WAIT if seconds is None else min(seconds, LONGEST_WAIT)
        self._at_once = self._at_once + 1 if wait == 0 else 0
        if self._at_once > MAX_AT_ONCE:
            wait = 0.1
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self.wake.wait()


def _is_set(auth: Auth) -> bool:
    try:
        auth.secret()
    except SecretMissing:
        return False
    return True
