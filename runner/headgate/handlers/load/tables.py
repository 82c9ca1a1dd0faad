"""Reads tables from Parquet, CSV and JSON lines as Arrow batches, in constant memory."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import islice
from typing import Any, BinaryIO, Final, cast

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from headgate.errors import InvalidValue
from headgate.handlers.misread import column_at_fault

ROWS: Final = 65_536
BLOCK_BYTES: Final = 8 * 1024 * 1024
"""Bytes of CSV read at once; no row may be longer."""
LINES: Final = 10_000
MISSING: Final = re.compile(r"Column '(.*)' in include_columns does not exist")


def read_parquet(path: str, columns: Mapping[str, Any], *, is_packed: bool) -> Iterator[Any]:
    """Yield the wanted columns of a Parquet file. Raises InvalidValue."""
    try:
        with pa.parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            yield from file.iter_batches(ROWS, columns=[x for x in columns if x in names])
    except (pa.ArrowInvalid, OSError) as exc:
        raise InvalidValue(f"it is not a valid Parquet file: {exc}") from exc


def read_csv(path: str, columns: Mapping[str, Any], *, is_packed: bool) -> Iterator[Any]:
    """Yield batches of a CSV file with a header; an empty field is null, "" an empty text."""
    with _open(path, is_packed) as stream:
        names = stream.readline().decode("utf-8-sig", "replace")
    try:
        with _open(path, is_packed) as stream:
            yield from pa.csv.open_csv(
                stream,
                pa.csv.ReadOptions(block_size=BLOCK_BYTES),
                pa.csv.ParseOptions(newlines_in_values=True),
                pa.csv.ConvertOptions(
                    column_types=dict(columns),
                    include_columns=list(columns),
                    null_values=[""],
                    true_values=["t", "true"],
                    false_values=["f", "false"],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                ),
            )
    except (pa.ArrowInvalid, pa.ArrowKeyError) as exc:
        raise InvalidValue(_misread(str(exc), names)) from exc


def read_ndjson(path: str, columns: Mapping[str, Any], *, is_packed: bool) -> Iterator[Any]:
    """Yield batches of JSON objects, one per line; fields that an object lacks are null.

    Numbers stay texts until they are converted to the stage's type, so that no digit is lost.
    """
    with _open(path, is_packed) as stream:
        count = 0
        while lines := list(islice(stream, LINES)):
            rows = [_object(line, nth) for nth, line in enumerate(lines, count + 1)]
            count += len(lines)
            yield pa.RecordBatch.from_pydict(
                {x: pa.array([_text(row.get(x)) for row in rows], pa.string()) for x in columns}
            )


def _object(line: bytes, nth: int) -> dict[str, Any]:
    try:
        value = json.loads(line, parse_float=Decimal, parse_constant=str)
    except ValueError as exc:
        raise InvalidValue(f"line {nth} is not JSON: {exc}") from exc
    if not isinstance(value, dict):
        raise InvalidValue(f"line {nth} is not a JSON object")
    return value


def _text(value: Any) -> str | None:
    """Return a value as text, with all digits except of fractions inside arrays and objects."""
    if value is None or isinstance(value, str):
        return value
    return str(value) if isinstance(value, Decimal) else json.dumps(value, default=float)


def _misread(said: str, header: str) -> str:
    """Return a message that names the column at fault in a CSV file."""
    if "Empty CSV file" in said:
        return "it is empty, without a header"
    if found := MISSING.search(said):
        return f"it has no column {found[1]}"
    if column := column_at_fault(said):
        nth, fault = column
        names = pa.csv.read_csv(pa.py_buffer(header.encode())).schema.names
        return f"column {names[nth]}: {fault}"
    return said


def _open(path: str, is_packed: bool) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path)) if is_packed else open(path, "rb")
