"""A chunk whose calls this runner makes: what has started, is open, or is not yet reported."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final

from runner.calls import Reply
from runner.chunks import Call, Chunk, Handling, Report

SLICE_JOBS: Final = 200
SLICE_CHARACTERS: Final = 8 * 1024 * 1024
SLICE_SECONDS: Final = 1.0


@dataclass(slots=True, eq=False)
class Leased:
    """A leased chunk in work. Times are the event loop's."""

    chunk: Chunk
    claimed_at: float
    lease_ends: float = field(init=False, default=0.0)
    beat_at: float = field(init=False, default=0.0)
    is_settling: bool = field(init=False, default=False)
    is_lost: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.extended(self.claimed_at, self.chunk.lease_seconds)

    def extended(self, at: float, lease_seconds: float) -> None:
        """Note that the lease runs for so long from then; ask again after a third of it."""
        self.lease_ends = at + lease_seconds
        self.beat_at = at + lease_seconds / 3


@dataclass(slots=True, eq=False)
class Handled(Leased):
    """A chunk whose handler runs, or waits for a process to run in."""

    handling: Handling
    work: asyncio.Task[None] | None = None


@dataclass(frozen=True, slots=True)
class Shared:
    """What came of one call that serves all assets of its chunk."""

    outcome: str
    blame: str | None
    error: str | None
    payload: str | None
    requests: int
    duration_ms: int


@dataclass(slots=True, eq=False)
class Held(Leased):
    """A chunk whose calls are made."""

    call: Call
    urls: list[str | None]
    starts_end: float = float("inf")
    next: int = 0
    open: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    report: Report = field(default_factory=Report)
    oldest_at: float = 0.0
    shared: dict[int, Shared] = field(default_factory=dict)
    """What came of calls that serve all assets; reported when all have ended."""
    is_fruitful: bool = False
    """Something was sent, or was found out without sending."""
    is_probing: bool = False

    def __post_init__(self) -> None:
        self.extended(self.claimed_at, self.chunk.lease_seconds)
        if self.call.stop_before_seconds is not None:
            self.starts_end = self.claimed_at + self.call.stop_before_seconds
        self.is_probing = self.call.probe

    @property
    def waiting(self) -> int:
        """Count the calls that have not started."""
        return len(self.urls) - self.next

    @property
    def is_ended(self) -> bool:
        """Tell whether nothing is left to call or to wait for."""
        return not self.open and self.next == len(self.urls)

    @property
    def is_slice_due(self) -> bool:
        """Tell whether what has come is enough for a completion of its own."""
        return (
            self.is_ended or len(self.report) >= SLICE_JOBS or self.report.size >= SLICE_CHARACTERS
        )

    def may_start(self, now: float) -> bool:
        """Tell whether its next call may start: the lease is safe, no probe is out, memory too."""
        is_safe = now < self.lease_ends - self.chunk.lease_seconds / 6
        is_full = self.is_settling and self.report.size >= SLICE_CHARACTERS
        return is_safe and not is_full and not (self.is_probing and self.next)

    def record(self, index: int, reply: Reply, now: float) -> None:
        """Add what came of one call."""
        outcome = reply.outcome
        self._add(
            index,
            outcome.outcome,
            now,
            blame=None if outcome.is_success else outcome.blame,
            error=None if outcome.is_success else outcome.reason,
            payload=reply.payload,
            requests=reply.requests,
            duration_ms=reply.duration_ms,
        )
        self.is_fruitful = True

    def give_up(self, reason: str, now: float) -> int:
        """Report all calls that have not started as unsent; return how many they were."""
        count = self.waiting
        for index in range(self.next, len(self.urls)):
            self._add(index, "unsent", now, blame="house", error=reason)
        self.next = len(self.urls)
        return count

    def take_report(self) -> Report:
        """Take what has come so far; what follows goes into the next slice."""
        report, self.report = self.report, Report()
        return report

    def _add(
        self,
        index: int,
        outcome: str,
        now: float,
        *,
        blame: str | None,
        error: str | None,
        payload: str | None = None,
        requests: int = 0,
        duration_ms: int = 0,
    ) -> None:
        """Add one asset's row; calls that serve all assets give a row for each, when all are in."""
        if self.call.serves_all:
            self.shared[index] = Shared(outcome, blame, error, payload, requests, duration_ms)
            if len(self.shared) == len(self.urls):
                self._share(now)
            return
        if not len(self.report):
            self.oldest_at = now
        asset_ids = self.chunk.asset_ids
        served = [asset_ids[index]] if len(self.urls) == len(asset_ids) else asset_ids
        for asset_id in served:
            self.report.add(
                asset_id,
                outcome,
                blame=blame,
                payload=payload,
                error=error,
                requests=requests,
                duration_ms=duration_ms,
            )
            payload, requests, duration_ms = None, 0, 0

    def _share(self, now: float) -> None:
        """Give each asset the worst of the calls' outcomes, and the first ones the answers."""
        calls = [self.shared[index] for index in range(len(self.urls))]
        bad = [x for x in calls if x.outcome not in ("success", "unsent")]
        bad += [x for x in calls if x.outcome == "unsent"]
        worst = bad[0] if bad else calls[0]
        requests = sum(x.requests for x in calls)
        self.oldest_at = now
        for index, asset_id in enumerate(self.chunk.asset_ids):
            has_answer = not bad and index < len(calls)
            self.report.add(
                asset_id,
                worst.outcome,
                blame=worst.blame,
                payload=calls[index].payload if has_answer else None,
                error=worst.error,
                requests=requests if index == 0 else 0,
                duration_ms=sum(x.duration_ms for x in calls) if index == 0 else 0,
            )
