"""Leased chunks in work: the state of their calls, and the results not yet handed in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from headgate.escapes import Bytes
from headgate.worker.calls import Reply
from headgate.worker.chunks import Call, Chunk, Handling
from headgate.worker.reports import GroupReport, Report
from headgate.worker.rules import Block

SLICE_JOBS: Final = 200
SLICE_BYTES: Final = 8 * 1024 * 1024
SLICE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Stale:
    """An answer that is too old to serve, unless the provider says that it has not changed."""

    conditions: Mapping[str, str]
    """The headers with which a request names the answer's version."""
    reply: Reply

    def unless_changed(self, reply: Reply) -> Reply:
        """Return the old answer in place of `304 Not Modified`; otherwise the reply."""
        if reply.answer is None or json.loads(reply.answer).get("status") != 304:
            return reply
        outcome = replace(self.reply.outcome, charged=reply.outcome.charged)
        return replace(
            self.reply, outcome=outcome, requests=reply.requests, duration_ms=reply.duration_ms
        )


@dataclass(slots=True, eq=False)
class Leased:
    """A leased chunk in work. Times are the event loop's."""

    chunk: Chunk
    claimed_at: float
    lease_ends: float = field(init=False, default=0.0)
    beat_at: float = field(init=False, default=0.0)
    is_settling: bool = field(init=False, default=False)
    is_lost: bool = field(init=False, default=False)
    block: Block | None = field(init=False, default=None)
    """The block that stops the chunk's calls, learned from an answer."""
    blocked_at: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self.extended(self.claimed_at, self.chunk.lease_seconds)

    def extended(self, at: float, lease_seconds: float) -> None:
        """Note that the lease runs `lease_seconds` from `at`; extend it after a third of that."""
        self.lease_ends = at + lease_seconds
        self.beat_at = at + lease_seconds / 3

    def stops(self, chunk: Chunk) -> bool:
        """Return whether the block of this lease also stops another chunk's calls."""
        if self.block is None:
            return False
        return self.block.until != "execution" or self.chunk.execution == chunk.execution

    def block_at(self, now: float) -> Block | None:
        """Return the block, with its seconds counted from `now`."""
        if self.block is None or self.block.seconds is None:
            return self.block
        left = max(0.0, self.block.seconds - (now - self.blocked_at))
        return replace(self.block, seconds=left)


@dataclass(slots=True, eq=False)
class HandlerLease(Leased):
    """A leased chunk whose handler runs or waits for a process."""

    handling: Handling
    work: asyncio.Task[None] | None = None


@dataclass(slots=True, eq=False)
class CallLease(Leased):
    """A leased chunk whose calls this runner makes, one for each asset."""

    call: Call
    urls: list[str | None]
    starts_end: float = float("inf")
    todo: list[int] = field(init=False)
    """Indexes of the calls to make, in order, without those that the cache serves."""
    next: int = 0
    """How many of them have started."""
    stale: dict[int, Stale] = field(default_factory=dict)
    """Older answers, by the index of the call that asks whether they have changed."""
    is_looking: bool = False
    """Whether the cache is being queried; until then no call starts."""
    open: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    report: Report | GroupReport = field(default_factory=Report)
    oldest_at: float = 0.0
    is_fruitful: bool = False
    """Whether a call has had a reply, sent or not."""
    is_probing: bool = False

    def __post_init__(self) -> None:
        self.extended(self.claimed_at, self.chunk.lease_seconds)
        self.todo = list(range(len(self.urls)))
        self.is_looking = self.call.is_cached
        if self.call.stop_before_seconds is not None:
            self.starts_end = self.claimed_at + self.call.stop_before_seconds
        self.is_probing = self.call.probe

    @property
    def waiting(self) -> int:
        """Return the number of calls that have not started."""
        return len(self.todo) - self.next

    @property
    def is_ended(self) -> bool:
        """Return whether all calls have started and ended."""
        return not self.open and not self.waiting

    @property
    def is_paced(self) -> bool:
        """Return whether each call needs a time to start; if not, it starts when there is room."""
        return self.call.schedule is not None

    @property
    def paced(self) -> int:
        """Return the number of calls that can use a time to start."""
        if not self.is_paced or self.is_looking:
            return 0
        return min(self.waiting, max(0, 1 - self.next)) if self.is_probing else self.waiting

    @property
    def has_report(self) -> bool:
        """Return whether there are results that have not been handed in."""
        return len(self.report) > 0

    @property
    def has_sent(self) -> bool:
        """Return whether a call may have been sent that the database does not know of yet."""
        return self.has_report or bool(self.open)

    @property
    def unreported(self) -> int:
        """Return the number of requests whose answers have not been handed in."""
        return self.report.request_count + len(self.open)

    @property
    def is_slice_due(self) -> bool:
        """Return whether the results are enough for a completion."""
        return self.is_ended or len(self.report) >= SLICE_JOBS or self.report.size >= SLICE_BYTES

    @property
    def is_full(self) -> bool:
        """Return whether results wait behind a slice that is being handed in."""
        return self.is_settling and self.report.size >= SLICE_BYTES

    @property
    def must_stop(self) -> bool:
        """Return whether no further call is worth starting."""
        return False

    def may_start(self, now: float) -> bool:
        """Return whether lease, memory and probe allow the next call to start."""
        is_safe = now < self.lease_ends - self.chunk.lease_seconds / 6
        return is_safe and not (
            self.is_full or self.is_looking or (self.is_probing and self.next > 0)
        )

    def record(self, index: int, reply: Reply, now: float) -> None:
        """Add the reply to one call."""
        outcome = reply.outcome
        self._report_one(
            index,
            outcome.outcome,
            now,
            fault=None if outcome.is_success else outcome.fault,
            error=None if outcome.is_success else outcome.reason,
            payload=reply.payload,
            requests=reply.requests,
            charged=reply.charged,
            duration_ms=reply.duration_ms,
            answer=reply.answer,
        )
        self.is_fruitful = True

    def serve(self, replies: Mapping[int, Reply], now: float) -> int:
        """Add replies to calls that are not made; return their number."""
        served = [index for index in self.todo[self.next :] if index in replies]
        for index in served:
            self.record(index, replies[index], now)
        done = set(served)
        self.todo = [index for index in self.todo if index not in done]
        return len(served)

    def give_up(self, reason: str, now: float) -> int:
        """Report all calls that have not started as unsent; return their number."""
        count = self.waiting
        for index in self.todo[self.next :]:
            self._report_one(index, "unsent", now, fault="internal", error=reason)
        self.next = len(self.todo)
        return count

    def take_report(self) -> Report | GroupReport:
        """Take the results so far; later ones go into the next slice."""
        report, self.report = self.report, Report()
        return report

    def discard(self) -> int:
        """Drop all answers that are not handed in; return their size in bytes."""
        return self.take_report().size

    def _report_one(
        self,
        index: int,
        outcome: str,
        now: float,
        *,
        fault: str | None,
        error: str | None,
        payload: Bytes | None = None,
        requests: int = 0,
        charged: int = 0,
        duration_ms: int = 0,
        answer: str | None = None,
    ) -> None:
        assert isinstance(self.report, Report)
        if not self.has_report:
            self.oldest_at = now
        self.report.add(
            self.chunk.asset_ids[index],
            outcome,
            fault=fault,
            payload=payload,
            error=error,
            requests=requests,
            charged=charged,
            duration_ms=duration_ms,
            answer=answer,
        )
