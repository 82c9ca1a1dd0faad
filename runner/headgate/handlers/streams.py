"""Reads the input of a handler as a stream, which `worker.streams` writes into a task's pipe."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, TypeAlias

from headgate.errors import WrongPlan
from headgate.handlers.contract import Chunk

Columns: TypeAlias = list[tuple[str, int]]
"""Name and type OID of each column."""


@contextmanager
def open_stream(chunk: Chunk) -> Iterator[tuple[Columns, BinaryIO]]:
    """Yield the columns of the chunk's single asset, and its rows as a stream of text lines."""
    if chunk.stream is None:
        raise WrongPlan("the handler reads a stream: give the operation an input_format")
    with chunk.stream.open("rb") as stream:
        columns = json.loads(stream.readline() or "[]")
        if not columns:
            raise WrongPlan("the input function's rows have no columns behind asset_id")
        yield [(name, oid) for name, oid in columns], stream
