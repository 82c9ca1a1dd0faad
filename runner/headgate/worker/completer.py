"""Hands in results, slice by slice."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import Protocol

from headgate.errors import LostLease, ServerUnreachable
from headgate.worker.background import Background
from headgate.worker.chunks import Chunk, Claim
from headgate.worker.completion import Unwritable, hand_in
from headgate.worker.connection_pool import ConnectionPool
from headgate.worker.endings import Ending, Endings
from headgate.worker.group_lease import GroupLease
from headgate.worker.keeper import Keeper
from headgate.worker.leases import SLICE_SECONDS, CallLease, HandlerLease, Leased
from headgate.worker.provider_state import Providers
from headgate.worker.queue import Queue
from headgate.worker.reports import GroupReport, Report, Result, UniformReport
from headgate.worker.rules import Block
from headgate.worker.totals import Totals

logger = logging.getLogger(__name__)


class Upstream(Protocol):
    """The parts before the completer, which claim chunks and make their calls."""

    def wanted_after(self, chunk: Chunk) -> int:
        """Return the number of chunks to claim together with the completion of this one."""

    @property
    def room(self) -> int:
        """Return the number of calls for which a claim may bring times to start."""

    def take(self, claim: Claim) -> None:
        """Start work on claimed chunks."""

    def chunk_ended(self, *, was_fruitless: bool, has_next: bool) -> None:
        """Note that a chunk has ended; fruitless means with neither a request nor a result."""

    def give_up(self, held: CallLease, reason: str) -> None:
        """Start no further call of a chunk; the calls that have not started are reported unsent."""

    def freed(self, size: int) -> None:
        """Note that `size` bytes of answers have been handed in: there is room for more."""


class Completer:
    """Completes chunks, the last slice of each together with the claim of new ones."""

    def __init__(
        self,
        connections: ConnectionPool,
        providers: Providers,
        keeper: Keeper,
        totals: Totals,
        background: Background,
        upstream: Upstream,
    ) -> None:
        self.keeper = keeper
        self._totals = totals
        self._background = background
        self._connections = connections
        self._providers = providers
        self._upstream = upstream
        self._loop = asyncio.get_running_loop()
        self.endings = Endings(connections.size)

    def on_result(self, held: CallLease) -> None:
        """Hand in a chunk's results if they are enough for a slice."""
        if held.is_slice_due:
            self._settle_soon(held)

    def end(self, chunk: Chunk, report: UniformReport) -> None:
        """Complete a chunk that needs no call; its jobs all end alike."""
        self._providers.of(chunk.provider).uniform_reports += 1
        self.endings.add(chunk, report)
        self._background.begin(self._end_next())

    async def keep(self) -> None:
        """Run for ever: keep the leases, and hand in results that have waited a second."""
        while True:
            await self.keeper.tick()
            now = self._loop.time()
            for held in self.keeper.calling():
                if now >= held.starts_end and held.waiting:
                    self._upstream.give_up(held, "no time was left to start it")
                if held.has_report and now >= held.oldest_at + SLICE_SECONDS:
                    self._settle_soon(held)

    async def finish(self) -> None:
        """Hand in all results, release what was never sent, and wait until both are done."""
        await self._background.wait()  # a lease may turn out to be lost
        while reported := [held for held in self.keeper.calling() if held.has_report]:
            for held in reported:
                self._settle_soon(held)
            await self._background.wait()
        self.keeper.give_back_untouched()
        await self._background.wait()

    async def settle_handled(self, held: HandlerLease, report: Report) -> None:
        """Hand in the complete result of a handler's chunk."""
        held.is_settling = True
        try:
            claim = await self._hand_in(held, report, is_last=True)
        except Unwritable as exc:
            await self.keeper.give_up(held, str(exc))
        else:
            self._end_of(held, claim, was_fruitless=False)

    def _settle_soon(self, held: CallLease) -> None:
        if not held.is_settling and not held.is_lost:
            held.is_settling = True
            self._background.begin(self._settle(held))

    async def _settle(self, held: CallLease) -> None:
        """Hand in slices as long as one is due; the last slice may claim new chunks."""
        while not held.is_lost:
            report = held.take_report()
            is_last = held.is_ended and not held.has_report
            try:
                claim = await self._hand_in(held, report, is_last=is_last)
            except Unwritable as exc:
                if not self._refuse(held, report, str(exc)):
                    await self.keeper.give_up(held, str(exc))
            else:
                if claim is None or is_last:
                    self._end_of(held, claim, was_fruitless=not held.is_fruitful)
            is_over = not held.is_slice_due or not held.has_report
            if is_over:
                held.is_settling = False
            self._upstream.freed(report.size)
            if is_over:
                return
        held.is_settling = False
        self._upstream.freed(0)

    def _refuse(self, held: CallLease, report: Result, reason: str) -> bool:
        """Let a GroupLease end whose answers the database rejects; return whether it will."""
        if not isinstance(held, GroupLease) or not isinstance(report, GroupReport):
            return False
        if held.rejection is not None:
            return False
        held.refuse(report, reason)
        self._upstream.give_up(held, reason)
        return True

    async def _end_next(self) -> None:
        """Hand in chunks without calls as long as some wait and a connection is free for them."""
        while self.endings.may_begin:
            group = self.endings.begin()
            started = self._loop.time()
            try:
                await self._end_together(group)
            finally:
                self.endings.done(group, self._loop.time() - started)

    async def _end_together(self, group: list[Ending]) -> None:
        """Complete chunks in one commit; if that cannot be, each alone."""
        (chunk, *more), report = [x.chunk for x in group], group[0].report
        if more:
            report = replace(report, asset_ids=[y for x in group for y in x.report.asset_ids])
        held = Leased(chunk, self._loop.time())
        state = self._providers.of(chunk.provider)
        try:
            claim = await self._hand_in(held, report, is_last=True, more=more)
        except (LostLease, Unwritable) as exc:
            if more:
                logger.warning("%s chunks are handed in one by one: %s", len(group), exc)
                for ending in group:
                    await self._end_together([ending])
            else:
                state.uniform_reports -= 1
                await self.keeper.give_up(held, str(exc))
            return
        state.uniform_reports -= len(group)
        if claim is None:
            self._totals.lost += len(group)
        self._ended([chunk, *more], claim, was_fruitless=False)

    async def _hand_in(
        self, held: Leased, report: Result, *, is_last: bool, more: Sequence[Chunk] = ()
    ) -> Claim | None:
        """Complete a slice; return None if the chunk is lost. Raises Unwritable.

        With more chunks, whose jobs the report has too, it raises LostLease if one of them is lost.
        """
        chunk = held.chunk
        block: Block | None = None

        def send(queue: Queue, part: Result, is_last_part: bool) -> Awaitable[Claim]:
            nonlocal block
            block = held.block_at(self._loop.time())
            may_claim = is_last and is_last_part and block is None
            wanted = self._upstream.wanted_after(chunk) if may_claim else 0
            room = self._upstream.room
            return queue.complete(chunk, part, more=more, block=block, claim=wanted, room=room)

        try:
            claim = await hand_in(self._connections, report, send)
        except LostLease as exc:
            if more:
                raise
            logger.warning("dropped: %s", exc, extra=chunk.log_fields)
            self._totals.unreported += report.request_count
            return None
        except ServerUnreachable as exc:
            logger.error(
                "%s left to %s: %s",
                f"{1 + len(more)} chunks are" if more else f"chunk {chunk.chunk_id} is",
                "their leases" if more else "its lease",
                exc,
                extra=chunk.log_fields,
            )
            self._totals.unreported += report.request_count
            return None
        finally:
            if block is not None:
                self._providers.of(chunk.provider).handed_in(held)
        self._totals.count(report, is_last=is_last)
        return claim

    def _end_of(self, held: Leased, claim: Claim | None, *, was_fruitless: bool) -> None:
        """Drop a chunk whose last job has been handed in, or that is lost (no claim)."""
        if claim is None:
            self.keeper.lose(held)
            return
        del self.keeper.held[held.chunk.chunk_id]
        self._ended([held.chunk], claim, was_fruitless=was_fruitless)

    def _ended(self, chunks: Sequence[Chunk], claim: Claim | None, *, was_fruitless: bool) -> None:
        if claim is not None:
            for chunk in chunks:
                self._note_end(chunk)
            self._upstream.take(claim)
        is_followed = (
            self._providers.of(chunks[0].provider).uniform_reports >= self._connections.size
        )
        self._upstream.chunk_ended(
            was_fruitless=was_fruitless,
            has_next=is_followed or bool(claim is not None and claim.chunks),
        )

    def _note_end(self, chunk: Chunk) -> None:
        self._totals.chunks += 1
        logger.info(
            "chunk %s has ended: %s of %s",
            chunk.chunk_id,
            chunk.operation,
            chunk.run_id,
            extra=chunk.log_fields,
        )
