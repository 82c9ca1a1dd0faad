"""Streams the rows of an input function by COPY into a pipe that the handler's process reads.

The pipe is a FIFO in the task's folder. Its first line names the columns; rows follow as CSV, or as
one JSON object per line. Runs in a thread, so that the event loop is not blocked.
"""

from __future__ import annotations

import errno
import json
import os
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from psycopg import Connection, sql
from psycopg.types.json import Jsonb

from headgate.worker.copying import Unwanted, blocks

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
COPY: Final[Mapping[str, sql.SQL]] = {
    "csv": sql.SQL("copy (select {columns} from {call} as r) to stdout (format csv)"),
    "json": sql.SQL(
        "copy (select row_to_json(r) from (select {columns} from {call} as r) as r) to stdout"
        " (format csv, quote e'\\x01', delimiter e'\\x02')"
    ),
}
"""JSON escapes all control characters, so it never contains these quotes and delimiters."""


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
) -> None:
    """Write an asset's rows into the pipe. Raises psycopg.Error, HeadgateError, Unwanted."""
    target = _open(pipe, is_unwanted)
    with os.fdopen(target, "wb", buffering=0) as stream, closing(open_source()) as source:
        source.execute(FIT, (function,))
        source.execute(SETTINGS)
        call = CALL.format(
            function=sql.Identifier(*function.split(".")),
            context=sql.Literal(Jsonb(dict(context))),
            asset_id=sql.Literal(asset_id),
        )
        cursor = source.execute(sql.SQL("select * from {} limit 0").format(call))
        columns = [(x.name, x.type_code) for x in (cursor.description or ())[1:]]
        names = sql.SQL(", ").join(sql.Identifier("r", name) for name, _ in columns)
        copy = COPY[form].format(columns=names, call=call)
        try:
            stream.write(json.dumps(columns).encode() + b"\n")
            for pieces, _ in blocks(source, copy.as_bytes(source), is_unwanted):
                for piece in pieces:
                    _write(stream.fileno(), piece)
        except BrokenPipeError:
            raise Unwanted from None


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
            return target
    raise Unwanted


def _write(target: int, piece: bytes) -> None:
    rest = memoryview(piece)
    while rest:
        rest = rest[os.write(target, rest) :]
