"""Hands results in, slice by slice."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import Protocol

from runner.background import Background
from runner.chunks import Chunk, Claim, GroupReport, Report, Result, Verdict
from runner.completion import Unwritable, hand_in
from runner.errors import LostLease, ServerUnreachable
from runner.flight import Flight
from runner.group_lease import HeldGroup
from runner.keeper import Keeper
from runner.lanes import Lanes
from runner.leases import SLICE_SECONDS, Handled, Held, Leased
from runner.queue import Queue
from runner.rules import Closing
from runner.totals import Totals

logger = logging.getLogger(__name__)


class Feed(Protocol):
    """Where the next chunks come from."""

    def wanted_after(self, chunk: Chunk) -> int:
        """Return how many chunks to claim together with this one's completion."""

    def take(self, claim: Claim) -> None:
        """Put claimed chunks to work."""

    def chunk_ended(self, *, was_fruitless: bool, has_next: bool) -> None:
        """Note that a chunk has ended; fruitless: without a request and a result."""


class Settler:
    """Completes chunks, the last slice of each together with the claim of new ones."""

    feed: Feed
    flight: Flight

    def __init__(self, lanes: Lanes) -> None:
        self.totals = Totals()
        self._background = Background()
        self.keeper = Keeper(lanes, self.totals, self._background)
        self._lanes = lanes
        self._loop = asyncio.get_running_loop()

    def join(self, feed: Feed, flight: Flight) -> None:
        """Tell where chunks come from, and where their calls are made."""
        self.feed, self.flight, self.keeper.flight = feed, flight, flight
        self.keeper.on_lost = lambda: feed.chunk_ended(was_fruitless=False, has_next=False)

    def on_result(self, held: Held) -> None:
        """Hand in what has come when it is enough."""
        if held.is_slice_due:
            self._settle_soon(held)

    def end(self, chunk: Chunk, verdict: Verdict) -> None:
        """End a chunk that needs no call, all its jobs alike."""
        self.flight.gate(chunk.provider).verdicts += 1
        self._background.begin(self._end(chunk, verdict))

    async def keep(self) -> None:
        """For ever: keep the leases, and hand in what has waited a second."""
        while True:
            await self.keeper.tick()
            now = self._loop.time()
            for held in self.keeper.calling():
                if now >= held.starts_end and held.waiting:
                    self.flight.give_up(held, "no time was left to start it")
                if held.has_report and now >= held.oldest_at + SLICE_SECONDS:
                    self._settle_soon(held)

    async def finish(self) -> None:
        """Hand in all that is done, give back what was never sent, and wait until that is over."""
        await self._background.wait()  # what is being handed in may turn out not to be ours
        while reported := [held for held in self.keeper.calling() if held.has_report]:
            for held in reported:
                self._settle_soon(held)
            await self._background.wait()
        self.keeper.give_back_untouched()
        await self._background.wait()

    async def settle_handled(self, held: Handled, report: Report) -> None:
        """Hand in all that a handler made of its chunk."""
        held.is_settling = True
        try:
            claim = await self._hand_in(held, report, is_last=True)
        except Unwritable as exc:
            await self.keeper.give_up(held, str(exc))
        else:
            self._end_of(held, claim, was_fruitless=False)

    def _settle_soon(self, held: Held) -> None:
        if not held.is_settling and not held.is_lost:
            held.is_settling = True
            self._background.begin(self._settle(held))

    async def _settle(self, held: Held) -> None:
        """Hand in slice after slice while there is enough; the last one may bring new chunks."""
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
            self.flight.buffered -= report.size
            if not held.is_slice_due or not held.has_report:
                break
            self.flight.pump()
        held.is_settling = False
        self.flight.pump()

    def _refuse(self, held: Held, report: Result, reason: str) -> bool:
        """End a group whose answers the database does not take, once no call is open any more."""
        if not isinstance(held, HeldGroup) or not isinstance(report, GroupReport):
            return False
        if held.refusal is not None:
            return False
        held.refuse(report, reason)
        self.flight.give_up(held, reason)
        return True

    async def _end(self, chunk: Chunk, verdict: Verdict) -> None:
        held = Leased(chunk, self._loop.time())
        try:
            claim = await self._hand_in(held, verdict, is_last=True)
        except Unwritable as exc:
            await self.keeper.give_up(held, str(exc))
            return
        finally:
            self.flight.gate(chunk.provider).verdicts -= 1
        if claim is None:
            self.totals.lost += 1
        self._ended(chunk, claim, was_fruitless=False)

    async def _hand_in(self, held: Leased, report: Result, *, is_last: bool) -> Claim | None:
        """Complete a slice; None when the chunk is lost. Raises Unwritable."""
        chunk = held.chunk
        closing: Closing | None = None

        def send(queue: Queue, part: Result, is_last_part: bool) -> Awaitable[Claim]:
            nonlocal closing
            closing = held.closing_at(self._loop.time())
            may_claim = is_last and is_last_part and closing is None
            wanted = self.feed.wanted_after(chunk) if may_claim else 0
            return queue.complete(chunk, part, closing=closing, claim=wanted)

        try:
            claim = await hand_in(self._lanes, report, send)
        except LostLease as exc:
            logger.warning("dropped: %s", exc)
            return None
        except ServerUnreachable as exc:
            logger.error("chunk %s is left to its lease: %s", chunk.chunk_id, exc)
            return None
        finally:
            if closing is not None:
                self.flight.gate(chunk.provider).handed_in(held)
        self.totals.count(report, is_last=is_last)
        return claim

    def _end_of(self, held: Leased, claim: Claim | None, *, was_fruitless: bool) -> None:
        """Let go of a chunk that has been handed in to its last job, or is lost."""
        if claim is None:
            self.keeper.lose(held)
            return
        del self.keeper.held[held.chunk.chunk_id]
        self._ended(held.chunk, claim, was_fruitless=was_fruitless)

    def _ended(self, chunk: Chunk, claim: Claim | None, *, was_fruitless: bool) -> None:
        if claim is not None:
            self._note_end(chunk)
            self.feed.take(claim)
        self.feed.chunk_ended(
            was_fruitless=was_fruitless, has_next=bool(claim is not None and claim.chunks)
        )

    def _note_end(self, chunk: Chunk) -> None:
        self.totals.chunks += 1
        logger.info(
            "chunk %s has ended: %s of %s",
            chunk.chunk_id,
            chunk.operation,
            chunk.run_id,
            extra={"chunk_id": chunk.chunk_id, "jobs": len(chunk.asset_ids)},
        )
