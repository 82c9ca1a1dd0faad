"""Write the rows of an operation's input function to files: the handler `export`.

The ending of `artifact_name` sets the format: .parquet, .csv and .xlsx need the input_format csv,
.ndjson and .json the input_format json. A .gz after .csv, .ndjson or .json compresses the file.
`handler_options`:

- `max_rows`, `max_bytes`: the limit after which another file begins; the name needs {part}
- `partition`: the column whose value replaces {partition} in the name; it is left out of the files
- `part`: the column whose value in a file's first row replaces {part}, instead of a number
- `types`: types of numeric columns, as in {"price": "numeric(12,2)"}
- `formulas`: with keep, CSV texts that begin like a formula are not preceded by a quote
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final
from uuid import uuid4

from headgate.errors import InvalidValue, WrongPlan
from headgate.handlers.contract import Chunk, File, Result
from headgate.handlers.export.lines import JsonWriter, Lines, NdjsonWriter
from headgate.handlers.export.tables import CsvWriter, ParquetWriter, read_tables
from headgate.handlers.export.workbooks import XlsxWriter
from headgate.handlers.export.writers import Writer
from headgate.handlers.streams import Columns, open_stream

WRITERS: Final[Mapping[str, type[Writer]]] = {
    "parquet": ParquetWriter,
    "csv": CsvWriter,
    "xlsx": XlsxWriter,
    "ndjson": NdjsonWriter,
    "json": JsonWriter,
}
LINES: Final = ("ndjson", "json")
PACKED: Final = ("csv", "ndjson", "json")
OPTIONS: Final = {"max_rows", "max_bytes", "partition", "part", "types", "formulas"}
BLOCK_BYTES: Final = 1024 * 1024


def export(chunk: Chunk) -> Result:
    """Write the rows of the chunk's asset; its output has the numbers of files, rows and bytes."""
    name, form = _format(chunk)
    check_options("export", chunk.options, OPTIONS)
    assert chunk.folder is not None
    asset_id = int(chunk.asset_ids[0])
    parts = Parts(name, form, chunk.folder, chunk.options)
    with open_stream(chunk) as (columns, stream):
        if form in LINES:
            _write_lines(parts, stream)
        else:
            _write_tables(parts, columns, stream)
    parts.close()
    files = parts.files
    figures = {
        "files": len(files),
        "rows": sum(file.rows or 0 for file in files.values()),
        "bytes": bytes_of(files),
    }
    return Result(files={asset_id: files}, output={asset_id: figures})


def bytes_of(files: Mapping[str, File]) -> int:
    """Return the total size in bytes of files in a folder."""
    return sum(Path(str(file.content)).stat().st_size for file in files.values())


@dataclass
class Parts:
    """The files of one export, written one after the other."""

    name: str
    form: str
    folder: Path
    options: Mapping[str, Any]
    files: dict[str, File] = field(default_factory=dict)
    columns: Any = None
    """The Arrow schema of the files, for writers of tables."""
    _writer: Writer | None = None
    _name: str = ""
    _partition: str = ""
    _counts: dict[str, int] = field(default_factory=dict)

    def write(self, rows: Any, partition: str = "") -> None:
        """Write rows; a new file begins if the partition changes or the current file is full."""
        if partition != self._partition:
            self.close()
            self._partition = partition
        at = 0
        while at < len(rows):
            writer = self.begin(self._part_of(rows, at))
            count = len(rows) - at
            if (most := self.options.get("max_rows")) is not None:
                count = min(count, most - writer.rows)
            writer.write(rows[at : at + count])
            at += count
            if writer.rows == most or writer.size >= self.options.get("max_bytes", 2**62):
                self.close()

    def close(self) -> None:
        """Close the current file, if there is one."""
        if self._writer is not None:
            self._writer.close()
            self.files[self._name] = File(self._writer.path, self._writer.rows)
            self._writer = None

    def begin(self, told: str | None = None) -> Writer:
        """Return the writer of the current file or of a new one, even if no rows follow."""
        if self._writer is None:
            part = self._counts.get(self._partition, 0)
            self._counts[self._partition] = part + 1
            name = self.name.replace("{partition}", self._partition)
            name = name.replace("{part}", str(part) if told is None else told)
            if name in self.files:
                field = "part" if part else "partition"
                raise InvalidValue(f"{name} would be written twice: name it with {{{field}}}")
            self._name = name
            self._writer = WRITERS[self.form](
                self.folder / f"{uuid4().hex}.{self.form}",
                self.columns,
                self.options,
                is_packed=name.endswith(".gz"),
            )
        return self._writer

    def _part_of(self, rows: Any, at: int) -> str | None:
        column = self.options.get("part")
        return None if column is None else str(rows.column(column)[at])


def _format(chunk: Chunk) -> tuple[str, str]:
    """Return the file's name and its format. Raises WrongPlan."""
    (name,) = chunk.names or [None]
    if name is None:
        raise WrongPlan("export needs a store and an artifact_name")
    form = format_of(name)
    if form is None:
        known = ", ".join(f".{x}" for x in WRITERS)
        raise WrongPlan(f"export does not write {name!r}: its name ends in {known}, or .csv.gz")
    return name, form


def format_of(name: str) -> str | None:
    """Return the format that a file's name ends in; None: there is no such writer."""
    base = name.removesuffix(".gz")
    form = base.rpartition(".")[2]
    return form if form in (WRITERS if base == name else PACKED) else None


def check_options(handler: str, options: Mapping[str, Any], known: Set[str]) -> None:
    """Raise WrongPlan for an option that the handler does not have, and a size that is none."""
    if unknown := set(options) - known:
        raise WrongPlan(
            f"{handler} has no option {', '.join(sorted(unknown))}: {', '.join(sorted(known))}"
        )
    for name in ("max_rows", "max_bytes"):
        if name in options and not (type(options[name]) is int and options[name] > 0):
            raise WrongPlan(f"{handler}'s option {name} is a positive whole number")


def _write_tables(parts: Parts, columns: Columns, stream: BinaryIO) -> None:
    partition = parts.options.get("partition")
    for option in ("partition", "part"):
        column = parts.options.get(option)
        if column is not None and column not in [name for name, _ in columns]:
            raise WrongPlan(f"export's {option} is not a column of the input: {column!r}")
    tables = read_tables(columns, stream, parts.options)
    parts.columns = tables.schema_without(partition)
    if partition is None:
        parts.begin()
    for value, batch in tables.pieces(partition):
        parts.write(batch, value)


def _write_lines(parts: Parts, stream: BinaryIO) -> None:
    if {"partition", "part"} & set(parts.options):
        raise WrongPlan("export partitions tables, not JSON: write one file for each asset")
    parts.begin()
    while block := stream.read(BLOCK_BYTES):
        if not block.startswith(b"{"):
            raise WrongPlan("export writes JSON from an input_format json")
        parts.write(Lines(block if block.endswith(b"\n") else block + stream.readline()))
