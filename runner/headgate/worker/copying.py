"""What a database copies out, block by block, in flat memory and with an ear for those who wait."""

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
"""So much is given to libpq at once, which moves with every try what its socket does not take."""
LOOK_SECONDS: Final = 1.0
"""So often a thread that waits for rows looks whether it is still wanted."""


class Unwanted(Exception):
    """The lease was lost, or the runner ends."""


def blocks(
    source: Connection[Any],
    query: bytes,
    is_unwanted: threading.Event,
    *,
    pump: Callable[[], object] = lambda: None,
    head: int = 0,
    end: bytes = b"",
) -> Iterator[tuple[list[bytes], int]]:
    """Yield rows of a COPY as the source packs them, a block at a time in pieces, and how many.

    `head` bytes before the first row are left out, and the message that is its `end`.
    """
    pgconn = source.pgconn
    result = pgconn.exec_(query)
    if result.status != ExecStatus.COPY_OUT:
        raise error_from_result(result, encoding="utf-8")
    pieces: list[bytes] = []
    rows: list[Any] = []
    size, total, count = 0, 0, 0
    get = pgconn.get_copy_data
    while True:
        length, data = get(1)
        if length > 0:
            rows.append(data)
            size += length
            if size < PIECE_BYTES or (end and length == len(end)):
                continue
            pieces.append(b"".join(rows)[head:])
            total += size
            count += len(rows)
            rows, size, head = [], 0, 0
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
    if last := b"".join(rows)[head:].removesuffix(end):
        pieces.append(last)
    if pieces:
        yield pieces, count + len(rows) - bool(end)
