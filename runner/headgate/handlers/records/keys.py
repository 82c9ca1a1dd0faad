"""Finds the last record of each key on disk: memory holds one part of the keys at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from headgate.errors import InvalidValue

PARTS: Final = 64
ENTRY: Final = np.dtype([("high", "<u8"), ("low", "<u8"), ("row", "<u8")])
"""A record's entry: 128 bits that stand for its key, and its position."""
HASH_BYTES: Final = 16
BETWEEN: Final = "\x1f"


class Keys:
    """The keys of a file's records: add all of them, then ask which records are the last."""

    def __init__(self, folder: Path, columns: Sequence[str], files: ExitStack) -> None:
        self.count = 0
        self.missing = 0
        """Number of records without a key."""
        self._columns = columns
        self._parts = [files.enter_context(TemporaryFile(dir=folder)) for _ in range(PARTS)]

    def add(self, batch: Any) -> None:
        """Add the keys of a batch of records. Raises InvalidValue."""
        keys = self._texts(batch)
        has_key = keys.is_valid().to_numpy(zero_copy_only=False)
        texts = keys.drop_null().cast(pa.binary()).to_pylist()
        hashes = b"".join([blake2b(x, digest_size=HASH_BYTES).digest() for x in texts])
        entries = np.empty(len(texts), ENTRY)
        entries["high"], entries["low"] = np.frombuffer(hashes, "<u8").reshape(-1, 2).T
        entries["row"] = self.count + np.flatnonzero(has_key)
        part = entries["high"] % PARTS
        entries = entries[np.argsort(part, kind="stable")]
        ends = np.cumsum(np.bincount(part.astype(np.int64), minlength=PARTS))
        for file, start, end in zip(self._parts, (0, *ends[:-1]), ends, strict=True):
            file.write(entries[start:end].tobytes())
        self.count += len(has_key)
        self.missing += len(has_key) - len(texts)

    def last(self) -> Callable[[int], npt.NDArray[np.bool_]]:
        """Return a function from a count to flags: is each of the next records its key's last?"""
        bits, at = self._last_bits(), 0

        def take(count: int) -> npt.NDArray[np.bool_]:
            nonlocal at
            start, at = at, at + count
            flags = np.unpackbits(bits[start // 8 : (at + 7) // 8], bitorder="little")
            return flags[start % 8 : start % 8 + count].view(bool)

        return take

    def _last_bits(self) -> npt.NDArray[np.uint8]:
        bits = np.zeros(self.count // 8 + 1, np.uint8)
        for file in self._parts:
            file.seek(0)
            entries = np.frombuffer(file.read(), ENTRY)
            entries = entries[np.lexsort((entries["row"], entries["low"], entries["high"]))]
            keys = entries[["high", "low"]]
            rows = entries["row"][np.append(keys[1:] != keys[:-1], True)[: len(entries)]]
            np.bitwise_or.at(bits, rows >> 3, (1 << (rows & 7)).astype(np.uint8))
        return bits

    def _texts(self, batch: Any) -> Any:
        """Return each record's key as text; null if any of its columns is null."""
        texts = []
        for name in self._columns:
            if name not in batch.schema.names:
                return pa.nulls(len(batch), pa.string())
            column = batch.column(name)
            if pa.types.is_floating(column.type) or pa.types.is_nested(column.type):
                raise InvalidValue(
                    f"the key {name} is of the type {column.type}, and two values of it may be "
                    "equal without looking so: take whole numbers, texts or dates"
                )
            texts.append(column.cast(pa.string()))
        return pc.binary_join_element_wise(*texts, BETWEEN)
