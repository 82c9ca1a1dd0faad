"""A chunk whose calls each serve all its assets, such as a session's bars of an exchange."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from headgate.worker.calls import Reply
from headgate.worker.leases import SLICE_BYTES, CallLease
from headgate.worker.reports import GroupReport
from headgate.worker.rules import Outcome

MAX_AHEAD: Final = 4
"""Maximum number of answers that may wait for an earlier one."""


@dataclass(slots=True, eq=False)
class GroupLease(CallLease):
    """A leased chunk whose calls each serve all its assets, one call per session.

    Answers are handed in in the order of the sessions, so that they count even if a later call
    fails. A call that fails ends the chunk: answers for later sessions are dropped.
    """

    replies: dict[int, Reply] = field(default_factory=dict)
    """Replies that are in no report yet, by the index of their call."""
    reported: int = 0
    """The number of calls whose answers are in a report."""
    unsent_reason: str = ""
    rejection: Outcome | None = None
    """The outcome of the chunk if the database rejects an answer."""
    last: GroupReport | None = None
    """The report that ends the chunk, after all answers that count."""

    def __post_init__(self) -> None:
        CallLease.__post_init__(self)
        self.report = GroupReport(self.chunk.asset_ids)

    @property
    def has_report(self) -> bool:
        """Return whether there are results that have not been handed in."""
        return bool(self.report.payloads) or self.last is not None

    @property
    def has_sent(self) -> bool:
        """Return whether a call may have been sent that the database does not know of yet."""
        return self.has_report or bool(self.open) or bool(self.replies)

    @property
    def unreported(self) -> int:
        """Return the number of requests whose answers have not been handed in."""
        collected = sum(reply.requests for reply in self.replies.values())
        return self.report.request_count + collected + len(self.open)

    @property
    def is_slice_due(self) -> bool:
        """Return whether the results are enough for a completion."""
        return self.is_ended or self.report.size >= SLICE_BYTES

    @property
    def must_stop(self) -> bool:
        """Return whether no further call is worth starting."""
        return self.rejection is not None or any(
            not reply.outcome.is_success for reply in self.replies.values()
        )

    def may_start(self, now: float) -> bool:
        """Return whether the next call may start, and is not too far ahead of a missing answer."""
        return self.next < self.reported + MAX_AHEAD and CallLease.may_start(self, now)

    def record(self, index: int, reply: Reply, now: float) -> None:
        """Add the reply to one call."""
        self.replies[index] = reply
        self.is_fruitful = True
        self._collect(now)

    def give_up(self, reason: str, now: float) -> int:
        """Start no more calls; return the number of calls that have not started."""
        count = self.waiting
        self.next = len(self.todo)
        self.unsent_reason = reason
        self._collect(now)
        return count

    def refuse(self, report: GroupReport, reason: str) -> None:
        """Note that the database rejects these answers: the chunk ends with an internal fault."""
        self.rejection = Outcome("deferred", "internal", reason)
        self.reported -= len(report.payloads)
        for nth in range(len(report.payloads)):
            is_first = nth == 0
            self.replies[self.reported + nth] = Reply(
                self.rejection,
                report.requests if is_first else 0,
                None,
                report.duration_ms if is_first else 0,
            )

    def take_report(self) -> GroupReport:
        """Take the answers collected so far; if there are none, the report that ends the chunk."""
        report = self.report
        assert isinstance(report, GroupReport)
        if report.payloads or self.last is None:
            self.report = GroupReport(self.chunk.asset_ids)
            return report
        last, self.last = self.last, None
        return last

    def discard(self) -> int:
        """Drop all answers that are not handed in; return their size in bytes."""
        size = self.report.size + (self.last.size if self.last else 0)
        size += sum(len(reply.payload or b"") for reply in self.replies.values())
        self.report, self.last, self.replies = GroupReport(self.chunk.asset_ids), None, {}
        return size

    def _collect(self, now: float) -> None:
        """Report the answers that follow without a gap, and the chunk's end once it is known."""
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
        """Return the report that ends the chunk, with the outcome of the first call that failed."""
        reply = self.replies.get(self.reported)
        outcome = reply.outcome if reply else Outcome("unsent", "internal", self.unsent_reason)
        end = GroupReport(self.chunk.asset_ids, outcome.outcome, outcome.fault, outcome.reason)
        for other in self.replies.values():
            _add(end, other)
        self.replies = {}
        return end


def _add(report: GroupReport, reply: Reply) -> None:
    report.requests += reply.requests
    report.charged += reply.charged
    report.duration_ms += reply.duration_ms
    report.size += len(reply.payload or b"")
