"""A chunk whose calls this runner makes: what has started, is open, or is not yet reported."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final

from runner.calls import Reply
from runner.chunks import Call, Chunk, GroupReport, Handling, Report
from runner.rules import Outcome

SLICE_JOBS: Final = 200
SLICE_CHARACTERS: Final = 8 * 1024 * 1024
SLICE_SECONDS: Final = 1.0
MAX_AHEAD: Final = 4
"""How many answers for a group may wait for one before them."""


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


@dataclass(slots=True, eq=False)
class Held(Leased):
    """A chunk whose calls are made, one for each asset."""

    call: Call
    urls: list[str | None]
    starts_end: float = float("inf")
    next: int = 0
    open: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    report: Report | GroupReport = field(default_factory=Report)
    oldest_at: float = 0.0
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
    def has_report(self) -> bool:
        """Tell whether something has come that is not handed in."""
        return len(self.report) > 0

    @property
    def has_sent(self) -> bool:
        """Tell whether the database does not know yet of a call that may have been sent."""
        return self.has_report or bool(self.open)

    @property
    def is_slice_due(self) -> bool:
        """Tell whether what has come is enough for a completion of its own."""
        return (
            self.is_ended or len(self.report) >= SLICE_JOBS or self.report.size >= SLICE_CHARACTERS
        )

    @property
    def must_stop(self) -> bool:
        """Tell whether no further call is worth starting."""
        return False

    def may_start(self, now: float) -> bool:
        """Tell whether its next call may start: the lease is safe, no probe is out, memory too."""
        is_safe = now < self.lease_ends - self.chunk.lease_seconds / 6
        is_full = self.is_settling and self.report.size >= SLICE_CHARACTERS
        return is_safe and not is_full and not (self.is_probing and self.next)

    def record(self, index: int, reply: Reply, now: float) -> None:
        """Add what came of one call."""
        outcome = reply.outcome
        self._report_one(
            index,
            outcome.outcome,
            now,
            blame=None if outcome.is_success else outcome.blame,
            error=None if outcome.is_success else outcome.reason,
            payload=reply.payload,
            requests=reply.requests,
            charged=reply.charged,
            duration_ms=reply.duration_ms,
        )
        self.is_fruitful = True

    def give_up(self, reason: str, now: float) -> int:
        """Report all calls that have not started as unsent; return how many they were."""
        count = self.waiting
        for index in range(self.next, len(self.urls)):
            self._report_one(index, "unsent", now, blame="house", error=reason)
        self.next = len(self.urls)
        return count

    def take_report(self) -> Report | GroupReport:
        """Take what has come so far; what follows goes into the next slice."""
        report, self.report = self.report, Report()
        return report

    def discard(self) -> int:
        """Drop all answers that are not handed in; return how many characters they were."""
        return self.take_report().size

    def _report_one(
        self,
        index: int,
        outcome: str,
        now: float,
        *,
        blame: str | None,
        error: str | None,
        payload: str | None = None,
        requests: int = 0,
        charged: int = 0,
        duration_ms: int = 0,
    ) -> None:
        assert isinstance(self.report, Report)
        if not self.has_report:
            self.oldest_at = now
        self.report.add(
            self.chunk.asset_ids[index],
            outcome,
            blame=blame,
            payload=payload,
            error=error,
            requests=requests,
            charged=charged,
            duration_ms=duration_ms,
        )


@dataclass(slots=True, eq=False)
class HeldGroup(Held):
    """A chunk each of whose calls is for all its assets, one call a session.

    Answers are handed in in the order of the sessions, so that what has come counts whatever comes
    of the rest. A call that fails ends the chunk: the answers behind it are dropped.
    """

    replies: dict[int, Reply] = field(default_factory=dict)
    """What came of calls and is not reported."""
    reported: int = 0
    """How many calls' answers were taken for a report."""
    unsent_reason: str = ""
    refusal: Outcome | None = None
    """Why the database does not take an answer."""
    last: GroupReport | None = None
    """The end of the chunk, after all answers that count."""

    def __post_init__(self) -> None:
        Held.__post_init__(self)
        self.report = GroupReport(self.chunk.asset_ids)

    @property
    def has_report(self) -> bool:
        """Tell whether something has come that is not handed in."""
        return bool(self.report.payloads) or self.last is not None

    @property
    def has_sent(self) -> bool:
        """Tell whether the database does not know yet of a call that may have been sent."""
        return self.has_report or bool(self.open) or bool(self.replies)

    @property
    def is_slice_due(self) -> bool:
        """Tell whether what has come is enough for a completion of its own."""
        return self.is_ended or self.report.size >= SLICE_CHARACTERS

    @property
    def must_stop(self) -> bool:
        """Tell whether no further call is worth starting."""
        return self.refusal is not None or any(
            not reply.outcome.is_success for reply in self.replies.values()
        )

    def may_start(self, now: float) -> bool:
        """Tell whether its next call may start: not too far before an answer that has not come."""
        return self.next < self.reported + MAX_AHEAD and Held.may_start(self, now)

    def record(self, index: int, reply: Reply, now: float) -> None:
        """Add what came of one call."""
        self.replies[index] = reply
        self.is_fruitful = True
        self._collect(now)

    def give_up(self, reason: str, now: float) -> int:
        """Start no call any more; return how many have not started."""
        count = self.waiting
        self.next = len(self.urls)
        self.unsent_reason = reason
        self._collect(now)
        return count

    def refuse(self, report: GroupReport, reason: str) -> None:
        """Note that the database does not take these answers: they end the chunk as our fault."""
        self.refusal = Outcome("deferred", "house", reason)
        self.reported -= len(report.payloads)
        for nth in range(len(report.payloads)):
            is_first = nth == 0
            self.replies[self.reported + nth] = Reply(
                self.refusal,
                report.requests if is_first else 0,
                None,
                report.duration_ms if is_first else 0,
            )

    def take_report(self) -> GroupReport:
        """Take the answers that have come, or the end that follows them."""
        report = self.report
        assert isinstance(report, GroupReport)
        if report.payloads or self.last is None:
            self.report = GroupReport(self.chunk.asset_ids)
            return report
        last, self.last = self.last, None
        return last

    def discard(self) -> int:
        """Drop all answers that are not handed in; return how many characters they were."""
        size = self.report.size + (self.last.size if self.last else 0)
        size += sum(len(reply.payload or "") for reply in self.replies.values())
        self.report, self.last, self.replies = GroupReport(self.chunk.asset_ids), None, {}
        return size

    def _collect(self, now: float) -> None:
        """Report the answers that follow each other, and the end when there is one."""
        assert isinstance(self.report, GroupReport)
        while (reply := self.replies.get(self.reported)) and reply.outcome.is_success:
            del self.replies[self.reported]
            self.reported += 1
            if not self.has_report:
                self.oldest_at = now
            self.report.payloads.append(reply.payload)
            _add(self.report, reply)
        if self.is_ended and self.reported < len(self.urls) and self.last is None:
            self.last = self._end()
            self.oldest_at = now

    def _end(self) -> GroupReport:
        """Return what becomes of the jobs: what the first call says that brought no answer."""
        reply = self.replies.get(self.reported)
        outcome = reply.outcome if reply else Outcome("unsent", "house", self.unsent_reason)
        end = GroupReport(self.chunk.asset_ids, outcome.outcome, outcome.blame, outcome.reason)
        for other in self.replies.values():
            _add(end, other)
        self.replies = {}
        return end


def _add(report: GroupReport, reply: Reply) -> None:
    report.requests += reply.requests
    report.charged += reply.charged
    report.duration_ms += reply.duration_ms
    report.size += len(reply.payload or "")
