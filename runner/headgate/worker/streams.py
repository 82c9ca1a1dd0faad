"""Streams the rows of an input function by COPY into a pipe that the handler's process reads.

The pipe is a FIFO in the task's folder. Its first line names the columns; rows follow as CSV, or as
one JSON object per line. Runs in a thread, so that the event loop is not blocked.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from struct import Struct
from typing import Any, Final, NamedTuple

from psycopg import Connection, sql
from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from headgate.errors import WrongPlan
from headgate.worker.copying import Form, Unwanted, blocks, widen

logger = logging.getLogger(__name__)

PIPE: Final = "input"
OPEN_SECONDS: Final = 0.02
"""Interval at which to check whether the handler has opened its end."""
SETTINGS: Final = """
    begin transaction isolation level repeatable read read only;
    set local timezone = 'UTC';
    set local datestyle = 'ISO';
    set local intervalstyle = 'iso_8601'
"""
FIT: Final = "select headgate.require_fit(p_function => %s)"
CALL: Final = sql.SQL(
    "{function}(p_context => {context}, p_asset_ids => array[{asset_id}]::bigint[])"
)
CHANGES: Final = "headgate.read_changes"
CHANGES_CALL: Final = sql.SQL(
    "(select r.asset_id, r.cdc_hour, r.cdc_timestamp, r.operation, r.cdc_id, c.* from {call} as r"
    " cross join lateral json_to_record(r.content) as c ({columns}))"
)
PREPARE: Final = "select headgate.prepare_changes(p_operation => %s)"
OPEN: Final = (
    "select columns, position, key from headgate.open_changes(p_operation => %s, p_most => %s)"
)
SLOT: Final = sql.SQL(
    "copy (select headgate.read_slot({operation}, {position}::pg_lsn, {most}))"
    " to stdout (format binary)"
)
MOST: Final = 1_000_000
"""About as many changes, or messages of a slot, are read by one job; the next one reads on."""
COMMIT: Final = Struct("!hiQcBQQq")
"""The last row of a slot: two lengths, place, message, flags, begin and end of the commit, time."""
COPY: Final[Mapping[str, sql.SQL]] = {
    "csv": sql.SQL("copy (select {columns} from {call} as r) to stdout (format csv)"),
    "json": sql.SQL(
        "copy (select {line} from (select {columns} from {call} as r) as r) to stdout"
        " (format binary)"
    ),
}
LINE: Final = sql.SQL("row_to_json(r)")
ONE_LINE: Final = sql.SQL("translate(row_to_json(r)::text, e'\\n\\r', '  ')")
"""JSON escapes line breaks within texts; values that are JSON already keep those between theirs."""
JSON_OIDS: Final = (114, 199)
FIRST_OWN_OID: Final = 16_384
"""Types of a plan's own, and extensions', may contain JSON."""


def make_pipe(folder: Path) -> Path:
    """Create the pipe in a task's folder, for its handler to read, and return its path."""
    os.mkfifo(folder / PIPE, 0o600)
    return folder / PIPE


def feed(
    open_source: Callable[[], Connection[Any]],
    pipe: Path,
    function: str,
    form: str,
    context: Mapping[str, Any],
    asset_id: int,
    is_unwanted: threading.Event,
) -> str | None:
    """Write an asset's rows into the pipe; of changes, return the position they were read to.

    Raises psycopg.Error, HeadgateError, Unwanted.
    """
    target = _open(pipe, is_unwanted)
    with os.fdopen(target, "wb", buffering=0) as stream, closing(open_source()) as source:
        source.execute(FIT, (function,))
        if function == CHANGES:
            _prepare_changes(source, context["operation"])
        source.execute(SETTINGS)
        changes = None
        if function == CHANGES:
            changes = _open_changes(source, context["operation"])
            context = {**context, "position": changes.position}
        call = CALL.format(
            function=sql.Identifier(*function.split(".")),
            context=sql.Literal(Jsonb(dict(context))),
            asset_id=sql.Literal(asset_id),
        )
        if changes is not None:
            call = CHANGES_CALL.format(call=call, columns=sql.SQL(changes.columns))
        cursor = source.execute(sql.SQL("select * from {} as r limit 0").format(call))
        shape = [(x.name, x.type_code) for x in (cursor.description or ())[1:]]
        names = sql.SQL(", ").join(sql.Identifier("r", name) for name, _ in shape)
        copy = COPY[form].format(line=_line_of(shape), columns=names, call=call)
        arrives: Form = "lines" if form == "json" else "text"
        head: dict[str, Any] = {"columns": shape}
        if changes is not None and changes.key is not None:
            copy = SLOT.format(operation=context["operation"], position=changes.position, most=MOST)
            arrives = "binary"
            head["slot"] = {"key": changes.key, "until": changes.position}
        try:
            stream.write(json.dumps(head).encode() + b"\n")
            copied = blocks(source, copy.as_bytes(source), is_unwanted, form=arrives)
            rows, piece = 0, b""
            for pieces, count in copied:
                rows += count
                for piece in pieces:
                    _write(stream.fileno(), piece)
        except BrokenPipeError:
            raise Unwanted from None
    return None if changes is None else changes.read_to(rows, piece)


class Changes(NamedTuple):
    """What is to be read of a table's changes."""

    columns: str
    position: str
    """Up to where this transaction reads them."""
    key: list[str] | None
    """The columns of the table's key, for changes that are in a slot."""

    def read_to(self, rows: int, last: bytes) -> str:
        """Return the position that a copy has reached, by its number of rows and its last ones."""
        if self.key is None or rows < MOST:
            return self.position
        *_, end, _ = COMMIT.unpack(last[-COMMIT.size :])
        reached = f"{end >> 32:X}/{end & 0xFFFFFFFF:X}"
        return min(self.position, reached, key=lambda x: [int(y, 16) for y in x.split("/")])


def _prepare_changes(source: Connection[Any], operation: str) -> None:
    """Have an operation's slot follow what is exported; log its news."""
    row = source.cursor(row_factory=tuple_row).execute(PREPARE, (operation,)).fetchone()
    if row is not None and row[0] is not None:
        logger.warning("%s", row[0])


def _open_changes(source: Connection[Any], operation: str) -> Changes:
    """Return what is to be read of an operation's changes. Raises WrongPlan."""
    row = source.cursor(row_factory=tuple_row).execute(OPEN, (operation, MOST)).fetchone()
    if row is None:
        raise WrongPlan(f"operation {operation} exports no changes", hint="declare changes_of")
    return Changes(*row)


def _line_of(shape: list[tuple[str, int]]) -> sql.SQL:
    is_flat = all(oid < FIRST_OWN_OID and oid not in JSON_OIDS for _, oid in shape)
    return LINE if is_flat else ONE_LINE


def _open(pipe: Path, is_unwanted: threading.Event) -> int:
    """Open the pipe once the handler reads it. Raises Unwanted if it never will."""
    while not is_unwanted.is_set():
        try:
            target = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as exc:
            if exc.errno != errno.ENXIO:
                raise
            is_unwanted.wait(OPEN_SECONDS)
        else:
            os.set_blocking(target, True)
            widen(target)
            return target
    raise Unwanted


def _write(target: int, piece: bytes) -> None:
    rest = memoryview(piece)
    while rest:
        rest = rest[os.write(target, rest) :]
