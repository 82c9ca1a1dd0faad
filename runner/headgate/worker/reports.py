"""The reports on a chunk's jobs, column by column."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from headgate.escapes import Bytes
from headgate.handlers import RowType
from headgate.shown import redacted
from headgate.worker import arrays

COLUMNS: Final = (
    "asset_ids",
    "outcomes",
    "faults",
    "payloads",
    "errors",
    "requests",
    "charged",
    "durations_ms",
    "answers",
)


@dataclass(frozen=True, slots=True)
class Rows:
    """A handler's rows: a binary array of the ingest function's row type."""

    packed: bytes
    row_type: RowType
    counts: list[int]
    """The number of rows of each job of the report."""


@dataclass(slots=True)
class Report:
    """The results of jobs, column by column, as `complete_jobs` takes them."""

    asset_ids: list[int] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)
    faults: list[str | None] = field(default_factory=list)
    payloads: list[Bytes | None] = field(default_factory=list)
    errors: list[str | None] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)
    charged: list[int] = field(default_factory=list)
    durations_ms: list[int] = field(default_factory=list)
    answers: list[str | None] = field(default_factory=list)
    """JSON with what is known of an answer besides its body, or with a handler's output."""
    size: int = 0
    """Bytes of the payloads."""
    rows: Rows | None = None
    """The rows that a handler computed."""
    peak_memory: int | None = None
    """The peak memory of the handler's process, in bytes."""
    cpu_ms: int | None = None
    """Each job's share of the handler's processor time, in milliseconds."""
    files: list[dict[str, Any]] | None = None
    """The files that were put into the operation's store, as rows for artifacts."""
    position: str | None = None
    """Position to which a table's changes were read."""

    def __len__(self) -> int:
        return len(self.asset_ids)

    @property
    def request_count(self) -> int:
        """Return the number of requests that were made for these jobs."""
        return sum(self.requests)

    def add(
        self,
        asset_id: int,
        outcome: str,
        *,
        fault: str | None = None,
        payload: Bytes | None = None,
        error: str | None = None,
        requests: int = 0,
        charged: int = 0,
        duration_ms: int = 0,
        answer: str | None = None,
    ) -> None:
        """Add the result of one job."""
        self.asset_ids.append(asset_id)
        self.outcomes.append(outcome)
        self.faults.append(fault)
        self.payloads.append(payload)
        self.errors.append(error)
        self.requests.append(requests)
        self.charged.append(charged)
        self.durations_ms.append(duration_ms)
        self.answers.append(answer)
        self.size += len(payload) if payload else 0

    def columns(self) -> dict[str, Any]:
        """Return the arguments of `complete_jobs` that every report has."""
        return {
            "asset_ids": arrays.bigints(self.asset_ids),
            "outcomes": arrays.texts(self.outcomes),
            "faults": arrays.texts(self.faults),
            "payloads": arrays.texts(self.payloads),
            "errors": arrays.texts([x and redacted(x) for x in self.errors]),
            "requests": arrays.integers(self.requests),
            "charged": arrays.integers(self.charged),
            "durations_ms": arrays.integers(self.durations_ms),
        }

    def halves(self) -> tuple[Report, Report]:
        """Return the report split in two; only for reports without rows and files."""
        middle = len(self) // 2
        first, rest = Report(), Report()
        for mine, one, other in (
            (getattr(self, name), getattr(first, name), getattr(rest, name)) for name in COLUMNS
        ):
            one.extend(mine[:middle])
            other.extend(mine[middle:])
        return first, rest


@dataclass(slots=True)
class GroupReport:
    """The result of calls that each serve all assets of a chunk: all its jobs end alike.

    After a `success` with fewer answers than sessions left, the chunk goes on with the others.
    """

    asset_ids: list[int]
    outcome: str = "success"
    fault: str | None = None
    error: str | None = None
    payloads: list[Bytes | None] = field(default_factory=list)
    """The answers for the next sessions, in order."""
    requests: int = 0
    charged: int = 0
    duration_ms: int = 0
    size: int = 0
    """Bytes of the payloads."""

    def __len__(self) -> int:
        """Return 0 while there is nothing to hand in."""
        return len(self.asset_ids) if self.payloads or self.outcome != "success" else 0

    @property
    def request_count(self) -> int:
        """Return the number of requests that were made for these jobs."""
        return self.requests

    def columns(self) -> dict[str, Any]:
        """Return the arguments of `complete_jobs` that every report has."""
        others = [0] * (len(self.asset_ids) - 1)
        return _same_ends(self) | {
            "payloads": arrays.texts(self.payloads),
            "requests": arrays.integers([self.requests, *others]),
            "charged": arrays.integers([self.charged, *others]),
            "durations_ms": arrays.integers([self.duration_ms, *others]),
        }


@dataclass(frozen=True, slots=True)
class UniformReport:
    """The result of a chunk without calls: all its jobs end alike."""

    asset_ids: list[int]
    outcome: str
    fault: str | None = None
    error: str | None = None
    request_count: Final = 0

    def __len__(self) -> int:
        return len(self.asset_ids)

    def columns(self) -> dict[str, Any]:
        """Return the arguments of `complete_jobs` that every report has."""
        count = len(self.asset_ids)
        return _same_ends(self) | {
            "payloads": arrays.same_texts(None, count),
            "requests": arrays.zeros(count),
            "charged": arrays.zeros(count),
            "durations_ms": arrays.zeros(count),
        }


def _same_ends(report: GroupReport | UniformReport) -> dict[str, Any]:
    """Return the columns of jobs that end alike."""
    count = len(report.asset_ids)
    return {
        "asset_ids": arrays.bigints(report.asset_ids),
        "outcomes": arrays.same_texts(report.outcome, count),
        "faults": arrays.same_texts(report.fault, count),
        "errors": arrays.same_texts(report.error and redacted(report.error), count),
    }


Result: TypeAlias = Report | GroupReport | UniformReport
