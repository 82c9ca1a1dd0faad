"""Reads the input of a handler as a stream, which `worker.streams` writes into a task's pipe."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, TypeAlias

from headgate.errors import WrongPlan
from headgate.handlers.contract import Chunk
from headgate.handlers.slots import changes_of

Columns: TypeAlias = list[tuple[str, int]]
"""Name and type OID of each column."""


@contextmanager
def open_stream(chunk: Chunk) -> Iterator[tuple[Columns, BinaryIO]]:
    """Yield the columns of the chunk's single asset, and its rows as a stream of text lines."""
    if chunk.stream is None:
        raise WrongPlan("the handler reads a stream: give the operation an input_format")
    with chunk.stream.open("rb") as stream:
        head = json.loads(stream.readline() or "{}")
        columns = [(name, oid) for name, oid in head.get("columns", ())]
        if not columns:
            raise WrongPlan("the input function's rows have no columns after asset_id")
        if (slot := head.get("slot")) is not None:
            yield columns, changes_of(stream, [name for name, _ in columns], **slot)
        else:
            yield columns, stream
