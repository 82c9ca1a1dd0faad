"""Keeps the leases of the chunks in work: extends them, gives them back, or lets them go."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

import psycopg

from runner.background import Background
from runner.chunks import Chunk
from runner.completion import reason_of
from runner.errors import HeadgateError, LostLease
from runner.flight import Flight
from runner.lanes import Lanes
from runner.leases import Handled, Held, Leased
from runner.pace import Pace
from runner.totals import Totals

logger = logging.getLogger(__name__)

TICK_SECONDS: Final = 0.25


class Keeper:
    """Knows the chunks in work; `on_lost` is told of each that is not ours any more."""

    flight: Flight

    def __init__(self, lanes: Lanes, totals: Totals, background: Background) -> None:
        self.held: dict[int, Leased] = {}
        self.on_lost: Callable[[], None] = lambda: None
        self._lanes = lanes
        self._totals = totals
        self._background = background
        self._beat: asyncio.Task[None] | None = None
        self._is_busy = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def hold(self, held: Leased) -> None:
        """Take charge of a chunk whose work is about to start."""
        self.held[held.chunk.chunk_id] = held
        self._is_busy.set()

    def calling(self) -> list[Held]:
        """Return the chunks whose calls are made."""
        return [held for held in self.held.values() if isinstance(held, Held)]

    def take_starts(self, held: Held) -> None:
        """Ask for times to start the calls of a chunk whose own have passed."""
        self._background.begin(self._take_starts(held))

    def give_back(self, chunks: Sequence[Chunk]) -> None:
        """Release chunks of which nothing more will be started."""
        if chunks:
            self._background.begin(self._release(chunks))

    def give_back_untouched(self) -> None:
        """Release what is held and was never sent."""
        touched = {x.chunk.chunk_id for x in self.calling() if x.has_sent}
        self.give_back([x.chunk for x in self.held.values() if x.chunk.chunk_id not in touched])

    async def give_up(self, held: Leased, reason: str) -> None:
        """Let a lease count as lost, because the work on its chunk died."""
        held.is_settling = True
        logger.warning("chunk %s of %s: %s", held.chunk.chunk_id, held.chunk.operation, reason)
        try:
            await self._lanes.run(lambda queue: queue.lose(held.chunk, reason))
        except (psycopg.Error, HeadgateError) as exc:
            logger.error("chunk %s is left to its lease: %s", held.chunk.chunk_id, reason_of(exc))
        self.lose(held)

    def lose(self, held: Leased) -> None:
        """Let go of a chunk that is not ours any more."""
        if isinstance(held, Held):
            self.flight.drop(held)
        held.is_lost = True
        self._totals.lost += 1
        if self.held.get(held.chunk.chunk_id) is held:
            del self.held[held.chunk.chunk_id]
        self.on_lost()

    async def tick(self) -> None:
        """Wait until something is held; extend what is due, at a third of its time; then rest."""
        await self._is_busy.wait()
        if not self.held:
            self._is_busy.clear()
        now = self._loop.time()
        due = [x for x in self.held.values() if now >= x.beat_at]
        if due and (self._beat is None or self._beat.done()):
            self._beat = self._background.begin(self._extend(due))
        await asyncio.sleep(TICK_SECONDS)

    async def _extend(self, due: list[Leased]) -> None:
        at = self._loop.time()
        try:
            leases = await self._lanes.run(lambda queue: queue.extend([x.chunk for x in due]))
        except (psycopg.Error, HeadgateError) as exc:
            logger.error("leases could not be extended: %s", reason_of(exc))
            return
        ours = {lease.chunk_id: lease for lease in leases}
        for held in due:
            if self.held.get(held.chunk.chunk_id) is not held:
                continue
            lease = ours.get(held.chunk.chunk_id)
            if lease is not None and lease.lease_no == held.chunk.lease_no:
                held.extended(at, lease.lease_seconds)
            elif not held.is_settling:  # else its completion says what became of it
                logger.warning("lost the lease of chunk %s, dropping it", held.chunk.chunk_id)
                self.lose(held)
                if isinstance(held, Handled) and held.work is not None:
                    held.work.cancel()
        self.flight.pump()

    async def _take_starts(self, held: Held) -> None:
        try:
            schedule = await self._lanes.run(
                lambda queue: queue.take_starts(held.chunk, held.waiting)
            )
        except LostLease as exc:
            logger.warning("dropped: %s", exc)
            self.lose(held)
            return
        except (psycopg.Error, HeadgateError) as exc:
            logger.error("chunk %s has no time to start: %s", held.chunk.chunk_id, reason_of(exc))
            await asyncio.sleep(TICK_SECONDS)
        else:
            now = self._loop.time()
            held.pace = Pace.of(schedule, held.waiting, self.flight.clock, now)
        held.is_asking = False
        self.flight.pump()

    async def _release(self, chunks: Sequence[Chunk]) -> None:
        try:
            released = await self._lanes.run(lambda queue: queue.release(chunks))
        except (psycopg.Error, HeadgateError) as exc:
            logger.error("%s chunks are left to their leases: %s", len(chunks), reason_of(exc))
            return
        self._totals.released += released
