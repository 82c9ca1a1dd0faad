"""Keeps the leases of chunks in work: extends them, releases them, or drops lost ones."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

import psycopg

from headgate.errors import HeadgateError, LostLease
from headgate.worker.background import Background
from headgate.worker.chunks import Chunk
from headgate.worker.completion import reason_of
from headgate.worker.connection_pool import ConnectionPool
from headgate.worker.leases import CallLease, HandlerLease, Leased
from headgate.worker.pace import Pace, ServerClock, Starts
from headgate.worker.totals import Totals

logger = logging.getLogger(__name__)

TICK_SECONDS: Final = 0.25


class Keeper:
    """Holds the chunks in work.

    Calls `on_lost` with each chunk whose lease is lost, and `on_time` when calls may have new times
    to start.
    """

    def __init__(
        self,
        connections: ConnectionPool,
        clock: ServerClock,
        totals: Totals,
        background: Background,
        on_lost: Callable[[Leased], None],
        on_time: Callable[[], None],
    ) -> None:
        self.held: dict[int, Leased] = {}
        self._clock = clock
        self._on_lost = on_lost
        self._on_time = on_time
        self._connections = connections
        self._totals = totals
        self._background = background
        self._beat: asyncio.Task[None] | None = None
        self._is_busy = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def hold(self, held: Leased) -> None:
        """Hold a chunk whose work is about to start."""
        self.held[held.chunk.chunk_id] = held
        self._is_busy.set()

    def calling(self) -> list[CallLease]:
        """Return the held chunks that make calls."""
        return [held for held in self.held.values() if isinstance(held, CallLease)]

    def take_starts(self, held: CallLease, starts: Starts, calls: int) -> None:
        """Request times to start so many calls of a chunk, and add them to `starts`."""
        self._background.begin(self._take_starts(held, starts, calls))

    def give_back(self, chunks: Sequence[Chunk]) -> None:
        """Release chunks of which no more work will be started."""
        if chunks:
            self._background.begin(self._release(chunks))

    def give_back_untouched(self) -> None:
        """Release the held chunks, except those with calls that may have been sent."""
        touched = {x.chunk.chunk_id for x in self.calling() if x.has_sent}
        self.give_back([x.chunk for x in self.held.values() if x.chunk.chunk_id not in touched])

    async def give_up(self, held: Leased, reason: str) -> None:
        """End a lease as if it had expired, because the work on its chunk failed."""
        held.is_settling = True
        chunk = held.chunk
        extra = chunk.log_fields
        logger.warning("chunk %s of %s: %s", chunk.chunk_id, chunk.operation, reason, extra=extra)
        try:
            await self._connections.run(lambda queue: queue.lose(held.chunk, reason))
        except (psycopg.Error, HeadgateError) as exc:
            logger.error(
                "chunk %s is left to its lease: %s", chunk.chunk_id, reason_of(exc), extra=extra
            )
        self.lose(held)

    def lose(self, held: Leased) -> None:
        """Drop a chunk whose lease is lost."""
        held.is_lost = True
        self._totals.lost += 1
        if isinstance(held, CallLease):
            self._totals.unreported += held.unreported
        if self.held.get(held.chunk.chunk_id) is held:
            del self.held[held.chunk.chunk_id]
        self._on_lost(held)

    async def tick(self) -> None:
        """Wait until a chunk is held; extend leases after a third of their time; then sleep."""
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
            leases = await self._connections.run(lambda queue: queue.extend([x.chunk for x in due]))
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
            elif not held.is_settling:  # else its completion finds out
                logger.warning(
                    "lost the lease of chunk %s, dropping it",
                    held.chunk.chunk_id,
                    extra=held.chunk.log_fields,
                )
                self.lose(held)
                if isinstance(held, HandlerLease) and held.work is not None:
                    held.work.cancel()
        self._on_time()

    async def _take_starts(self, held: CallLease, starts: Starts, calls: int) -> None:
        try:
            schedule = await self._connections.run(
                lambda queue: queue.take_starts(held.chunk, calls)
            )
        except LostLease as exc:
            # Calls may have started at times that other chunks had asked for, and the chunk ended.
            if self.held.get(held.chunk.chunk_id) is held and not held.is_settling:
                logger.warning("dropped: %s", exc, extra=held.chunk.log_fields)
                self.lose(held)
        except (psycopg.Error, HeadgateError) as exc:
            logger.error("chunk %s has no time to start: %s", held.chunk.chunk_id, reason_of(exc))
            await asyncio.sleep(TICK_SECONDS)
        else:
            starts.add(Pace.of(schedule, self._clock, self._loop.time()))
        starts.asking -= calls
        self._on_time()

    async def _release(self, chunks: Sequence[Chunk]) -> None:
        try:
            released = await self._connections.run(lambda queue: queue.release(chunks))
        except (psycopg.Error, HeadgateError) as exc:
            logger.error("%s chunks are left to their leases: %s", len(chunks), reason_of(exc))
            return
        self._totals.released += released
