"""Reads a COPY from a database block by block, in constant memory, until it is unwanted."""

from __future__ import annotations

import select
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

from psycopg import Connection
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus

BLOCK_BYTES: Final = 2 * 1024 * 1024
PIECE_BYTES: Final = 64 * 1024
"""Bytes given to libpq at once; on every try it moves in memory what its socket does not take."""
LOOK_SECONDS: Final = 1.0
"""Interval at which a thread that waits for rows checks whether it is still wanted."""


class Unwanted(Exception):
    """The copy is no longer wanted: its lease was lost, or the runner ends."""


def blocks(
    source: Connection[Any],
    query: bytes,
    is_unwanted: threading.Event,
    *,
    pump: Callable[[], object] = lambda: None,
    head: int = 0,
    end: bytes = b"",
) -> Iterator[tuple[list[bytes], int]]:
    """Yield a COPY's rows in blocks: the pieces of each, in the source's format, and its row count.

    Leaves out the first `head` bytes and the closing message `end`. Calls `pump` between reads.
    Each row is copied on at once: libpq's buffers, kept for a piece, took most of the time.
    Raises psycopg.Error, Unwanted.
    """
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
            piece += data
            count += 1
            size += length
            if size < PIECE_BYTES or (end and length == len(end)):
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
