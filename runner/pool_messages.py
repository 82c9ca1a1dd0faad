"""What a worker sends to the processes that run handlers, and what they send back.

These objects are pickled; neither side needs numpy to read them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

Cells: TypeAlias = list[list[bytes | None]]


@dataclass(frozen=True, slots=True)
class RowType:
    """The rows an ingest function takes: a composite type, in PostgreSQL's own numbers."""

    array_oid: int
    oid: int
    columns: tuple[tuple[str, int], ...]
    """Name and type of each column, in order."""

    @classmethod
    def from_row(cls, row: dict[str, Any] | None) -> RowType | None:
        """Read `rows` of a claimed chunk."""
        if not row:
            return None
        columns = tuple((str(name), int(oid)) for name, oid in row["columns"])
        return cls(int(row["array_oid"]), int(row["oid"]), columns)


@dataclass(frozen=True, slots=True)
class Input:
    """The rows of an input function as they came: columns with their types, cells in binary."""

    columns: tuple[tuple[str, int], ...] = ()
    cells: Cells = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Task:
    """A chunk for a handler, with everything it needs."""

    handler: str
    operation: str
    context: dict[str, Any]
    asset_ids: list[int]
    codes: list[str]
    watermarks: list[str | None]
    input: Input
    row_type: RowType | None
    timeout_seconds: float
    max_memory: int


@dataclass(frozen=True, slots=True)
class Job:
    """What became of one asset: success, skipped, failed (its own fault) or deferred (ours)."""

    asset_id: int
    outcome: str
    error: str | None = None

    @property
    def blame(self) -> str | None:
        """Return whose fault it was, if it was one."""
        return {"failed": "item", "deferred": "house"}.get(self.outcome)


@dataclass(slots=True)
class Done:
    """What came of a task: an outcome for each asset, and the rows as a packed array."""

    jobs: list[Job]
    rows: bytes = b""
    """An array of the row type in binary; empty: no rows."""
    row_counts: list[int] = field(default_factory=list)
    """How many of the rows belong to each job."""
    lost: str | None = None
    """Why nothing came of it: the work died, as if the lease had run out."""
    must_end: str | None = None
    """Why the process should not be used again."""
    seconds: float = 0.0
    peak_memory: int = 0
    """The most memory the process has taken so far, bytes."""


class WorkLost(Exception):
    """The process that ran a handler died, hung or took too much memory."""
