"""Reads a COPY from a database block by block, in constant memory, until it is unwanted."""

from __future__ import annotations

import fcntl
import select
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final, Literal, TypeAlias

from psycopg import Connection
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus

BLOCK_BYTES: Final = 2 * 1024 * 1024
PIECE_BYTES: Final = 64 * 1024
"""Bytes given to libpq at once; on every try it moves in memory what its socket does not take."""
PIPE_BYTES: Final = 1024 * 1024
"""Size of a pipe; the default is a single piece, and each side waits for the other after each."""
LOOK_SECONDS: Final = 1.0
"""Interval at which a thread that waits for rows checks whether it is still wanted."""
START: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
"""Comes before the first row in binary format, in one message with it."""
END: Final = b"\xff\xff"
ROW_HEAD: Final = 6
"""Bytes before the value of a binary row of one column: the count of columns, its length."""
Form: TypeAlias = Literal["text", "binary", "lines"]
"""Of a copy's rows; lines come as binary rows of one column, which the source need not escape."""


class Unwanted(Exception):
    """The copy is no longer wanted: its lease was lost, or the runner ends."""


def widen(pipe: int) -> None:
    """Let a pipe hold several pieces, unless the system's limit for a user's pipes is reached."""
    with suppress(OSError):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def blocks(
    source: Connection[Any],
    query: bytes,
    is_unwanted: threading.Event,
    *,
    pump: Callable[[], object] = lambda: None,
    form: Form = "text",
) -> Iterator[tuple[list[bytes], int]]:
    """Yield a COPY's rows in blocks: the pieces of each, and its row count.

    Text comes as the source sends it, binary without start and end, and of lines the values alone.
    Calls `pump` between reads. Each row is copied on at once: libpq's buffers, kept for a piece,
    took most of the time. Raises psycopg.Error, Unwanted.
    """
    is_lines = form == "lines"
    head, end = (0, b"") if form == "text" else (len(START), b"\n" if is_lines else END)
    pgconn = source.pgconn
    result = pgconn.exec_(query)
    if result.status != ExecStatus.COPY_OUT:
        raise error_from_result(result, encoding="utf-8")
    pieces: list[bytes] = []
    piece = bytearray()
    size, total, count = 0, 0, 0
    get = pgconn.get_copy_data
    while True:
        length, data = get(1)
        if length > 0:
            if is_lines:
                piece += data[ROW_HEAD:]  # of the first row, with the last bytes of START
                piece += b"\n"
            else:
                piece += data
            count += 1
            size += length
            if size < PIECE_BYTES or (end and length == len(END)):
                continue
            del piece[:head]
            pieces.append(bytes(piece))
            piece.clear()
            total += size
            size, head = 0, 0
            pump()
            if total >= BLOCK_BYTES:
                if is_unwanted.is_set():
                    raise Unwanted
                yield pieces, count
                pieces, total, count = [], 0, 0
        elif length == 0:
            if is_unwanted.is_set():
                raise Unwanted
            pump()
            select.select([pgconn.socket], [], [], LOOK_SECONDS)
            pgconn.consume_input()
        else:
            break
    ended = pgconn.get_result()
    if ended is not None and ended.status != ExecStatus.COMMAND_OK:
        raise error_from_result(ended, encoding="utf-8")
    while pgconn.get_result() is not None:
        pass
    del piece[:head]
    if last := bytes(piece).removesuffix(end):
        pieces.append(last)
    if pieces:
        yield pieces, count - bool(end)
