"""Reads rows as Arrow batches, and writes tables as Parquet and CSV.

The rows come as CSV, which PostgreSQL writes and pyarrow reads faster than rows. Types are taken
from PostgreSQL, not guessed. A null is an empty field, an empty text a quoted empty field.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from headgate.errors import InvalidValue, WrongPlan
from headgate.handlers.arrow_types import ANY_NUMERIC, NUMERIC, TYPES
from headgate.handlers.export.writers import Writer
from headgate.handlers.misread import column_at_fault
from headgate.handlers.streams import Columns

BLOCK_BYTES: Final = 8 * 1024 * 1024
"""Bytes of CSV that are read at once; no row may be longer."""
GROUP_ROWS: Final = 100_000
FORMULA: Final = r"^[=+\-@\t\r]"
FILE_TYPES: Final[Mapping[int, Any]] = {**TYPES, 26: pa.int64()}
"""Arrow's types by PostgreSQL's type OIDs; all other types become text."""


def read_tables(columns: Columns, stream: BinaryIO, options: Mapping[str, Any]) -> Tables:
    """Return the tables of a CSV stream without header. Raises InvalidValue, WrongPlan."""
    return Tables(_schema(columns, options.get("types") or {}), stream)


class Tables:
    """The batches of a table, read one by one."""

    def __init__(self, schema: Any, stream: BinaryIO) -> None:
        self._schema = schema
        self._stream = stream

    def schema_without(self, column: str | None) -> Any:
        """Return the schema of the files, which lack the partition's column."""
        at = self._schema.get_field_index(column) if column is not None else -1
        return self._schema if at < 0 else self._schema.remove(at)

    def pieces(self, partition: str | None) -> Iterator[tuple[str, Any]]:
        """Yield each batch with its partition; batches are split where the partition changes."""
        for batch in self._batches():
            if partition is None:
                yield "", batch
                continue
            at = batch.schema.get_field_index(partition)
            values = pc.fill_null(batch.column(at).cast(pa.string()), "null").to_pylist()
            rest = batch.remove_column(at)
            ends = [n for n in range(1, len(values)) if values[n] != values[n - 1]]
            for start, end in zip([0, *ends], [*ends, len(values)], strict=True):
                yield values[start], rest.slice(start, end - start)

    def _batches(self) -> Iterator[Any]:
        names = self._schema.names
        try:
            reader = pa.csv.open_csv(
                self._stream,
                pa.csv.ReadOptions(block_size=BLOCK_BYTES, column_names=names),
                pa.csv.ParseOptions(newlines_in_values=True),
                pa.csv.ConvertOptions(
                    column_types=self._schema,
                    null_values=[""],
                    true_values=["t"],
                    false_values=["f"],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                ),
            )
            yield from reader
        except pa.ArrowInvalid as exc:
            if "Empty CSV file" not in str(exc):
                raise InvalidValue(self._misread(str(exc))) from exc

    def _misread(self, said: str) -> str:
        """Return a message for an unreadable value that names its column."""
        if (found := column_at_fault(said)) is None:
            return f"a row cannot be read: {said}"
        nth, fault = found
        column = self._schema.field(nth)
        return (
            f"column {column.name} has a value that no {column.type} can hold: {fault}; "
            "leave it out or make it null in the input function, or cast it to text"
        )


def _schema(columns: Columns, types: Mapping[str, str]) -> Any:
    if unknown := set(types) - {name for name, _ in columns}:
        raise WrongPlan(f"export's types name no column of the input: {sorted(unknown)}")
    return pa.schema([(name, _type(name, oid, types.get(name))) for name, oid in columns])


def _type(name: str, oid: int, told: str | None) -> Any:
    if oid != NUMERIC:
        if told is not None:
            raise WrongPlan(f"export's types name column {name}, which is not numeric")
        return FILE_TYPES.get(oid, pa.string())
    if told is None:
        return ANY_NUMERIC
    if (kind := numeric(told)) is None:
        raise WrongPlan(f"export's type of column {name} is not numeric(digits, scale): {told!r}")
    return kind


def numeric(told: str) -> Any:
    """Return the type numeric(digits, scale) for its name; None for any other name."""
    found = re.fullmatch(r"numeric\((\d+), ?(\d+)\)", told)
    if found is None or not 0 < int(found[1]) <= 38 or int(found[2]) > int(found[1]):
        return None
    return pa.decimal128(int(found[1]), int(found[2]))


class ParquetWriter(Writer):
    """Parquet with dictionaries and snappy compression, in row groups of equal length."""

    def begin(self) -> None:
        """Write the file's header."""
        self._waiting: list[Any] = []
        self._count = 0
        self._writer = pa.parquet.ParquetWriter(self.file, self.columns)

    def add(self, rows: Any) -> None:
        """Keep a batch until a row group is full."""
        self._waiting.append(rows)
        self._count += len(rows)
        if self._count >= GROUP_ROWS:
            self._flush(self._count - self._count % GROUP_ROWS)

    def end(self) -> None:
        """Write the last row group and the footer."""
        if self._count:
            self._flush(self._count)
        self._writer.close()

    def _flush(self, count: int) -> None:
        table = pa.Table.from_batches(self._waiting, self.columns)
        self._writer.write_table(table.slice(0, count), row_group_size=GROUP_ROWS)
        self._waiting = table.slice(count).to_batches()
        self._count -= count


class CsvWriter(Writer):
    """CSV with a header; texts are quoted, so that an empty text differs from null."""

    def begin(self) -> None:
        """Write the header, whose names may come from records as their values do."""
        self._keeps = self.options.get("formulas") == "keep"
        names = [x if self._keeps else re.sub(FORMULA, r"'\g<0>", x) for x in self.columns.names]
        self._columns = pa.schema(
            [x.with_name(y) for x, y in zip(self.columns, names, strict=True)]
        )
        self._writer = pa.csv.CSVWriter(self.file, self._columns)

    def add(self, rows: Any) -> None:
        """Write a batch; texts that begin like a formula are made harmless, unless kept."""
        columns = rows.columns if self._keeps else [_harmless(x) for x in rows.columns]
        self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._columns))

    def end(self) -> None:
        """Write the remaining rows."""
        self._writer.close()


def _harmless(column: Any) -> Any:
    if not pa.types.is_string(column.type):
        return column
    is_formula = pc.match_substring_regex(column, FORMULA)
    if not pc.any(is_formula).as_py():
        return column
    return pc.if_else(is_formula, pc.binary_join_element_wise("'", column, ""), column)
