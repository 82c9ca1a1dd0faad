"""Writers of JSON: each line from PostgreSQL is an object, which goes into the file unchanged."""

from __future__ import annotations

from functools import cached_property
from itertools import accumulate

from headgate.handlers.export.writers import Writer


class Lines:
    """A block of whole lines, which is split only where a file is full."""

    def __init__(self, block: bytes) -> None:
        self.block = block
        self._count = block.count(b"\n")

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, part: slice) -> Lines:
        start, stop, _ = part.indices(self._count)
        if (start, stop) == (0, self._count):
            return self
        return Lines(self.block[self._starts[start] : self._starts[stop]])

    @cached_property
    def _starts(self) -> list[int]:
        return list(accumulate((len(x) + 1 for x in self.block.split(b"\n")), initial=0))


class NdjsonWriter(Writer):
    """One JSON object per line."""

    def begin(self) -> None:
        """Write nothing: the file is its lines."""

    def add(self, rows: Lines) -> None:
        """Write lines."""
        self.file.write(rows.block)

    def end(self) -> None:
        """Write nothing."""


class JsonWriter(Writer):
    """One JSON array of all objects."""

    def begin(self) -> None:
        """Open the array."""
        self.file.write(b"[\n")

    def add(self, rows: Lines) -> None:
        """Write lines with commas between them."""
        if self.rows:
            self.file.write(b",")
        self.file.write(rows.block[:-1].replace(b"\n", b"\n,") + b"\n")

    def end(self) -> None:
        """Close the array."""
        self.file.write(b"]\n")
