"""The base class of writers, each of which writes one file of an export."""

from __future__ import annotations

import gzip
import io
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

LEVEL: Final = 6


class Writer(ABC):
    """Writes one file, until it is full or there are no more rows."""

    def __init__(
        self, path: Path, columns: Any, options: Mapping[str, Any], *, is_packed: bool
    ) -> None:
        self.path = path
        self.columns = columns
        self.options = options
        self.rows = 0
        self.file = self._file(is_packed)
        self.begin()

    @property
    def size(self) -> int:
        """Return the approximate size of the file in bytes."""
        return self.file.tell()

    def write(self, rows: Any) -> None:
        """Add rows: a batch of a table, or lines."""
        self.add(rows)
        self.rows += len(rows)

    def close(self) -> None:
        """Finish and close the file."""
        self.end()
        self.file.close()

    @abstractmethod
    def begin(self) -> None:
        """Write the part before the rows."""

    @abstractmethod
    def add(self, rows: Any) -> None:
        """Write rows."""

    @abstractmethod
    def end(self) -> None:
        """Write the part after the rows."""

    def _file(self, is_packed: bool) -> BinaryIO:
        if not is_packed:
            return self.path.open("wb")
        raw = self.path.open("wb")
        packed = gzip.GzipFile("", "wb", LEVEL, raw, mtime=0)  # without time: reproducible
        return cast(BinaryIO, _Packed(packed, raw))


class _Packed(io.BufferedWriter):
    """A compressed file that reports its compressed size, and closes the file below it."""

    def __init__(self, packed: gzip.GzipFile, raw: BinaryIO) -> None:
        super().__init__(cast(io.RawIOBase, packed), 1 << 20)
        self._below = raw

    def tell(self) -> int:
        return self._below.tell()

    def close(self) -> None:
        super().close()
        self._below.close()
