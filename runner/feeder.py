"""Claims chunks so that the calls under way never run dry, and no more than that."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Sequence
from typing import Final

import psycopg

from runner.chunks import Call, Chunk, Claim, Verdict
from runner.completion import told
from runner.database import from_psycopg
from runner.errors import NotMigrated, SecretMissing, WrongPlan
from runner.flight import Flight
from runner.gates import MOST_CHUNKS, Gate
from runner.group_lease import HeldGroup
from runner.lanes import Lanes
from runner.leases import Held
from runner.pace import Pace
from runner.settler import Settler
from runner.workshop import Workshop

logger = logging.getLogger(__name__)

LONGEST_WAIT: Final = 30.0
MOST_FRUITLESS: Final = 3
MOST_FAILURES: Final = 5
MOST_AT_ONCE: Final = 100
MISSING: Final = ("42883", "42P01", "3F000")


class Feeder:
    """Decides when to claim, and puts what was claimed to work."""

    def __init__(
        self,
        lanes: Lanes,
        flight: Flight,
        settler: Settler,
        workshop: Workshop,
        concurrency: int,
    ) -> None:
        self.wake = asyncio.Event()
        """Set when there may be something new to claim."""
        self.is_stopping = False
        self.asked = asyncio.Event()
        """Set after each claim, for those who watch for the end."""
        self._lanes = lanes
        self._flight = flight
        self._settler = settler
        self._workshop = workshop
        self._target = 2 * concurrency
        self._chunk_calls = float(concurrency)
        self._room = asyncio.Event()
        self._without_secret: set[str] = set()
        self._fruitless = 0
        self._failures = 0
        self._at_once = 0

    async def feed(self) -> None:
        """Claim whenever there is room; without work sleep until it is due or was sent."""
        while not self.is_stopping:
            self._room.clear()
            wanted = self._wanted(self._target - self._flight.load)
            if wanted == 0:
                await self._room.wait()
                continue
            self.wake.clear()
            claim = await self._claim(wanted)
            self.asked.set()
            if claim.chunks:
                self.take(claim)
                await self._breathe()
            else:
                await self._sleep(claim.wait_seconds)

    def stop(self) -> None:
        """Claim nothing more; what a claim under way brings is given back."""
        self.is_stopping = True
        self.wake.set()
        self._room.set()

    def wanted_after(self, chunk: Chunk) -> int:
        """Return how many chunks to claim together with the completion of one like this."""
        gate = self._flight.gate(chunk.provider)
        if self.is_stopping or self._fruitless or gate.provider in self._without_secret:
            return 0
        if chunk.handler is not None:
            return self._workshop.room(gate)
        if chunk.urls is None:
            return int(gate.verdicts <= self._lanes.size)
        return self._wanted(
            min(self._target - self._flight.load, self._target_of(gate) - gate.load)
        )

    def avoided(self) -> Sequence[str]:
        """Return the providers without their secret, with enough to do, or just stopped."""
        for gate in self._flight.gates():
            gate.was_avoided = self._is_full(gate)
        full = {gate.provider for gate in self._flight.gates() if gate.was_avoided}
        return sorted(self._without_secret | full)

    def take(self, claim: Claim) -> None:
        """Put claimed chunks to work."""
        for chunk in claim.chunks:
            self._take_safely(chunk, claim.at)

    def chunk_ended(self, *, was_fruitless: bool, has_next: bool) -> None:
        """Look for more: its end may have let something else begin."""
        self._fruitless = self._fruitless + 1 if was_fruitless else 0
        if not has_next:
            self.wake.set()
        self.note_room()

    def note_room(self) -> None:
        """Look whether there is room for more calls."""
        if self._flight.load < self._target:
            self._room.set()
        for gate in self._flight.gates():
            if gate.was_avoided and not self._is_full(gate):
                gate.was_avoided = False
                self.wake.set()

    def _take_safely(self, chunk: Chunk, at: float) -> None:
        """Take a chunk; one that this runner cannot use ends as our fault, and no other with it."""
        try:
            self._take(chunk, at)
        except Exception as exc:
            logger.exception("chunk %s of %s cannot be used", chunk.chunk_id, chunk.operation)
            self._defer(chunk, f"the runner cannot use it: {told(exc)}")

    def _take(self, chunk: Chunk, at: float) -> None:
        if self.is_stopping:
            self._settler.keeper.give_back([chunk])
        elif chunk.handler is not None:
            self._learn_size(self._target / self._workshop.most)
            self._workshop.take(chunk, at)
        elif chunk.urls is None:
            self._learn_size(self._target / self._lanes.size)
            self._settler.end(chunk, Verdict(chunk.asset_ids, "success"))
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
            self._without_secret.add(chunk.provider)
            self._settler.keeper.give_back([chunk])
        else:
            self._learn_size(len(urls))
            held = (HeldGroup if call.serves_all else Held)(chunk, at, call, urls)
            if call.schedule is not None:
                now = asyncio.get_running_loop().time()
                held.pace = Pace.of(call.schedule, len(urls), self._flight.clock, now)
            self._settler.keeper.hold(held)
            self._flight.take(held)

    def _defer(self, chunk: Chunk, reason: str) -> None:
        self._settler.end(chunk, Verdict(chunk.asset_ids, "deferred", "house", reason))

    def _wanted(self, room: float) -> int:
        return max(0, min(MOST_CHUNKS, math.ceil(room / self._chunk_calls)))

    def _learn_size(self, calls: float) -> None:
        self._chunk_calls += 0.3 * (max(1.0, calls) - self._chunk_calls)

    def _is_full(self, gate: Gate) -> bool:
        is_busy = (
            gate.load >= self._target_of(gate)
            or gate.verdicts >= self._lanes.size
            or (gate.handlings > 0 and not self._workshop.room(gate))
        )
        return is_busy or gate.is_stopped()

    def _target_of(self, gate: Gate) -> int:
        return min(self._target, 2 * gate.in_flight) if gate.load else self._target

    async def _claim(self, wanted: int) -> Claim:
        """Claim; a fault that may pass is logged and tried again later, one that stays raises."""
        try:
            claim = await self._lanes.run(lambda queue: queue.claim(wanted, self.avoided()))
        except psycopg.Error as exc:
            self._failures += 1
            if exc.sqlstate in MISSING:
                raise NotMigrated("the database lacks the functions a runner calls") from exc
            if (exc.sqlstate or "").startswith("42") or self._failures >= MOST_FAILURES:
                raise from_psycopg(exc) from exc
            logger.error("nothing could be claimed: %s", from_psycopg(exc))
            return Claim(0.0, wait_seconds=float(self._failures))
        self._failures = 0
        return claim

    async def _breathe(self) -> None:
        """Slow down when chunks come and go without a call."""
        if self._fruitless >= MOST_FRUITLESS:
            await asyncio.sleep(min(5.0, 0.1 * 2 ** (self._fruitless - MOST_FRUITLESS)))

    async def _sleep(self, seconds: float | None) -> None:
        wait = LONGEST_WAIT if seconds is None else min(seconds, LONGEST_WAIT)
        self._at_once = self._at_once + 1 if wait == 0 else 0
        if self._at_once > MOST_AT_ONCE:
            wait = 0.1
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self.wake.wait()
