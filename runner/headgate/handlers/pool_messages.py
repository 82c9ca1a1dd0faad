"""Messages between a worker and the processes that run its handlers.

Neither side needs numpy to read them. A task is pickled, as its sender is trusted. An answer is not
trusted: it has a head in JSON, and rows as bytes that only PostgreSQL reads. No code in it can run.
"""

from __future__ import annotations

import json
import math
import os
import re
import struct
from dataclasses import astuple, dataclass, field
from typing import Any, Final, NamedTuple, TypeAlias

from headgate.handlers.document import Document

LENGTHS: Final = struct.Struct(">QQ")
"""The prefix of an answer: the lengths in bytes of its head and of its rows."""
PIECE_LENGTH: Final = struct.Struct(">Q")
"""The prefix of each piece of rows for a stage: its length in bytes."""
LARGEST_HEAD: Final = 64 * 1024 * 1024
FAULTS: Final = {
    "success": None,
    "skipped": None,
    "failed": "item",
    "deferred": "internal",
    "retry": "item",
    "unknown": "item",
}
"""The outcomes of a job, and whose fault each is."""

Cells: TypeAlias = list[list[bytes | None]]


@dataclass(frozen=True, slots=True)
class RowType:
    """The composite type of the rows that an ingest function takes, by PostgreSQL's OIDs."""

    array_oid: int
    oid: int
    columns: tuple[tuple[str, int], ...]
    """Name and type OID of each column, in order."""

    @classmethod
    def from_row(cls, row: dict[str, Any] | None) -> RowType | None:
        """Read the `rows` of a claimed chunk's call."""
        if not row:
            return None
        columns = tuple((str(name), int(oid)) for name, oid in row["columns"])
        return cls(int(row["array_oid"]), int(row["oid"]), columns)


@dataclass(frozen=True, slots=True)
class Input:
    """The rows of an input function, unconverted: columns with type OIDs, cells in binary."""

    columns: tuple[tuple[str, int], ...] = ()
    cells: Cells = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Target:
    """An operation's stage, and the pipe through which a handler's rows reach it."""

    columns: tuple[tuple[str, str, int], ...]
    """Name, type, and the type's OID."""
    token: tuple[int, int]
    """Chunk ID and lease number, which are part of each row."""
    pipe: str


@dataclass(frozen=True, slots=True)
class Spooled:
    """A file in the task's folder, on its way to or from a store."""

    asset_id: int
    name: str
    file: str
    """The file's name in the folder."""
    sha256: str
    bytes: int
    rows: int | None
    media_type: str

    @property
    def is_sound(self) -> bool:
        """Return whether all values are valid, as the sender is not trusted."""
        numbers = (self.asset_id, self.bytes, 0 if self.rows is None else self.rows)
        texts = (self.name, self.file, self.sha256, self.media_type)
        return (
            all(type(x) is int and 0 <= x < 2**63 for x in numbers)
            and all(isinstance(x, str) for x in texts)
            and re.fullmatch("[0-9a-f]{64}", self.sha256) is not None
            and os.path.basename(self.file) == self.file not in ("", ".", "..")
        )


@dataclass(frozen=True, slots=True)
class Task:
    """A chunk for a handler, with everything that the handler needs."""

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
    environment: tuple[str, ...] = ()
    """Names of the environment variables that the handler sees besides harmless ones."""
    options: dict[str, Any] = field(default_factory=dict)
    names: list[str | None] = field(default_factory=list)
    folder: str | None = None
    """Folder in which the handler leaves files for the runner; None: it may make none."""
    stream: str | None = None
    """Pipe from which the input is read; None: it is in `input`."""
    files: list[Spooled] = field(default_factory=list)
    """Artifacts that the input names, fetched into the folder."""
    stage: Target | None = None
    """The stage for the rows; None: they are part of the answer."""
    place: str = ""
    """The handler's place as module:function, where the pool has found it."""


@dataclass(frozen=True, slots=True)
class Parsing:
    """An answer for a parser: a task of one job, whose rows are the parser's JSON."""

    handler: str
    """The parser's name."""
    document: Document
    timeout_seconds: float
    max_memory: int
    asset_ids: tuple[int] = (0,)
    environment: tuple[str, ...] = ()
    place: str = ""
    """The parser's place as module:function, where the pool has found it."""


Work: TypeAlias = Task | Parsing


class Job(NamedTuple):
    """The result of one asset; `outcome` is one of FAULTS."""

    asset_id: int
    outcome: str
    error: str | None = None
    output: str | None = None
    """JSON for later steps."""
    is_ours: bool = False
    """Whether a retry is due to the runner's fault."""

    @property
    def fault(self) -> str | None:
        """Return the fault of a failure, or None."""
        return "internal" if self.is_ours and self.outcome == "retry" else FAULTS[self.outcome]


@dataclass(slots=True)
class Done:
    """The result of a task: an outcome for each asset, and the rows as a packed array."""

    jobs: list[Job]
    rows: bytes = b""
    """A binary array of the row type, or a parser's JSON; empty: no rows."""
    row_counts: list[int] = field(default_factory=list)
    """The number of rows of each job, or of its rows in the stage."""
    lost: str | None = None
    """Why the work died: there is no result, and the lease ends as if it had expired."""
    must_end: str | None = None
    """Why the process must not be used again."""
    seconds: float = 0.0
    peak_memory: int = 0
    """Peak memory of the process during the task, in bytes; 0: not measured."""
    cpu_seconds: float = 0.0
    """Processor time of the task."""
    files: list[Spooled] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)
    """IDs of artifacts to remove."""


class Garbage(ValueError):
    """A process sent an invalid answer."""


def head_of(done: Done) -> bytes:
    """Return an answer's head: all but its rows, as JSON, with jobs in the task's order."""
    return json.dumps(
        {
            "outcomes": [job.outcome for job in done.jobs],
            "errors": [job.error for job in done.jobs],
            "outputs": [job.output for job in done.jobs],
            "are_ours": [job.is_ours for job in done.jobs],
            "row_counts": done.row_counts,
            "lost": done.lost,
            "must_end": done.must_end,
            "seconds": done.seconds,
            "peak_memory": done.peak_memory,
            "cpu_seconds": done.cpu_seconds,
            "files": [astuple(file) for file in done.files],
            "removed": done.removed,
        }
    ).encode()


def read_done(head: bytes, rows: bytes, task: Work) -> Done:
    """Return an answer to a task, whose sender is not trusted. Raises Garbage if it is invalid."""
    try:
        said = json.loads(head)
        outcomes, errors, outputs = said["outcomes"], said["errors"], said["outputs"]
        are_ours = said["are_ours"]
        counts: list[int] = said["row_counts"]
        done = Done(
            [
                Job(*job)
                for job in zip(task.asset_ids, outcomes, errors, outputs, are_ours, strict=True)
            ]
            if outcomes or not said["lost"]
            else [],
            rows,
            counts,
            lost=said["lost"],
            must_end=said["must_end"],
            seconds=said["seconds"],
            peak_memory=said["peak_memory"],
            cpu_seconds=said["cpu_seconds"],
            files=[Spooled(*file) for file in said["files"]],
            removed=said["removed"],
        )
        is_sound = (
            all(x in FAULTS for x in outcomes)
            and all(type(x) is bool for x in are_ours)
            and all(_is_text(x) for x in (*errors, *outputs, done.lost, done.must_end))
            and len(counts) in (0, len(done.jobs))
            and all(type(x) is int and 0 <= x < 2**31 for x in (*counts, done.peak_memory >> 20))
            and all(type(x) is int and 0 <= x < 2**63 for x in done.removed)
            and all(file.is_sound for file in done.files)
            and all(
                type(x) is float and 0 <= x < math.inf for x in (done.seconds, done.cpu_seconds)
            )
        )
    except (ValueError, TypeError, KeyError, RecursionError) as exc:
        raise Garbage from exc
    if not is_sound:
        raise Garbage
    return done


def _is_text(value: object) -> bool:
    return value is None or isinstance(value, str)


class WorkLost(Exception):
    """The process that ran a handler died, hung or took too much memory."""
