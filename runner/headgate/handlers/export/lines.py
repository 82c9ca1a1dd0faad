"""Writers of JSON: each line from PostgreSQL is an object, which goes into the file unchanged."""

from __future__ import annotations

from headgate.handlers.export.writers import Writer


class NdjsonWriter(Writer):
    """One JSON object per line."""

    def add(self, rows: list[bytes]) -> None:
        """Write lines."""
        self.file.write(b"".join(rows))


class JsonWriter(Writer):
    """One JSON array of all objects."""

    def begin(self) -> None:
        """Open the array."""
        self.file.write(b"[\n")

    def add(self, rows: list[bytes]) -> None:
        """Write lines with commas between them."""
        if self.rows:
            self.file.write(b",")
        self.file.write(b",".join(rows))

    def end(self) -> None:
        """Close the array."""
        self.file.write(b"]\n")
