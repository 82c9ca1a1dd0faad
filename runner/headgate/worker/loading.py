"""Copies a handler's rows from a pipe into its operation's stage, in a thread.

Rows arrive in pieces of whole rows in binary format. Each piece is a COPY of its own, begun once
the piece is complete, so that no transaction is open while the handler computes.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from psycopg import Connection

from headgate.handlers import PIECE_LENGTH
from headgate.worker.chunks import Stage
from headgate.worker.copying import PIECE_BYTES, Unwanted, widen
from headgate.worker.staging import Writer

PIPE: Final = "rows"
LOOK_SECONDS: Final = 0.1
"""Interval at which to check whether the handler has ended without opening its end of the pipe."""


def make_pipe(folder: Path) -> Path:
    """Create the pipe in a task's folder, for its handler to write, and return its path."""
    os.mkfifo(folder / PIPE, 0o600)
    return folder / PIPE


def drain(
    open_target: Callable[[], Connection[Any]],
    pipe: Path,
    stage: Stage,
    is_over: threading.Event,
) -> None:
    """Copy what a pipe or a file holds. Raises HeadgateError, Unstorable, Unwanted."""
    descriptor = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    widen(descriptor)
    try:
        piece = _piece(descriptor, is_over)
        if not piece:
            return
        with closing(open_target()) as target:
            writer = Writer(target, stage)
            while piece:
                writer.write(piece)
                piece = _piece(descriptor, is_over, writer.pump)
            writer.finish()
    finally:
        os.close(descriptor)


def _piece(
    descriptor: int, is_over: threading.Event, pump: Callable[[], object] = lambda: None
) -> list[bytes]:
    """Return the parts of the next piece, none after the last; the database works meanwhile.

    Raises Unwanted if the piece is incomplete.
    """
    head = b"".join(_read(descriptor, PIECE_LENGTH.size, is_over))
    if not head:
        return []
    if len(head) < PIECE_LENGTH.size:
        raise Unwanted
    (size,) = PIECE_LENGTH.unpack(head)
    parts = []
    for part in _read(descriptor, size, is_over):
        parts.append(part)
        pump()
    if sum(map(len, parts)) < size:
        raise Unwanted
    return parts


def _read(descriptor: int, size: int, is_over: threading.Event) -> Iterator[bytes]:
    """Yield `size` bytes, or fewer if the handler ends before."""
    while size:
        ready, _, _ = select.select([descriptor], [], [], LOOK_SECONDS)
        if not ready:
            if is_over.is_set():
                return
            continue
        part = os.read(descriptor, min(size, PIECE_BYTES))
        if not part:
            return
        size -= len(part)
        yield part
