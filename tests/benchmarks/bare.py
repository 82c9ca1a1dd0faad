"""What files.py is measured against: the shortest loops over the same libraries, in one process.

Each returns the number of rows, and the seconds that they took.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import xlsxwriter
from pgpq import ArrowToPostgresBinaryEncoder
from psycopg import Connection

SCHEMA: Final = pa.schema(
    [
        ("sale_id", pa.int32()), ("customer", pa.int32()), ("amount", pa.int16()), ("price", pa.float64()),
        ("total", pa.decimal128(12, 2)), ("product", pa.string()), ("note", pa.string()), ("is_paid", pa.bool_()),
        ("sold_at", pa.timestamp("us", tz="UTC")), ("day", pa.date32()),
    ]
)  # fmt: skip
OBJECTS: Final = "copy (select row_to_json(s) from public.sales as s) to stdout"
QUOTED_BY_NOTHING: Final = "(format csv, quote e'\\x01', delimiter e'\\x02')"
BATCH_ROWS: Final = 65_536


def to_parquet(source: Connection[Any], path: str) -> tuple[int, float]:
    """COPY as CSV, read by pyarrow, into a ParquetWriter."""
    started, rows = time.perf_counter(), 0
    with (
        source.cursor().copy("copy public.sales to stdout (format csv)") as copied,
        pa.parquet.ParquetWriter(path, SCHEMA) as writer,
    ):
        for batch in pa.csv.open_csv(
            pa.PythonFile(_Readable(copied), mode="r"),
            pa.csv.ReadOptions(block_size=8 << 20, column_names=SCHEMA.names),
            pa.csv.ParseOptions(newlines_in_values=True),
            pa.csv.ConvertOptions(column_types=SCHEMA, true_values=["t"], false_values=["f"]),
        ):
            writer.write_batch(batch)
            rows += len(batch)
    return rows, time.perf_counter() - started


def to_ndjson(source: Connection[Any], path: str) -> tuple[int, float]:
    """COPY of objects into a file."""
    started, rows = time.perf_counter(), 0
    with (
        source.cursor().copy(f"{OBJECTS} {QUOTED_BY_NOTHING}") as copied,
        open(path, "wb") as file,
    ):
        for row in copied:
            file.write(row)
            rows += 1
    return rows, time.perf_counter() - started


def to_xlsx(source: Connection[Any], path: str) -> tuple[int, float]:
    """xlsxwriter alone: the rows are in memory before."""
    rows = source.execute("select * from public.sales order by sale_id").fetchall()
    started = time.perf_counter()
    book = xlsxwriter.Workbook(
        path,
        {"constant_memory": True, "remove_timezone": True, "default_date_format": "yyyy-mm-dd"},
    )
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, SCHEMA.names)
    for nth, row in enumerate(rows, 1):
        sheet.write_row(nth, 0, row)
    book.close()
    return len(rows), time.perf_counter() - started


def from_parquet(target: Connection[Any], path: str) -> tuple[int, float]:
    """pgpq into COPY, in one transaction."""
    started, rows = time.perf_counter(), 0
    encoder = ArrowToPostgresBinaryEncoder(SCHEMA)
    with target.cursor().copy("copy public.loaded from stdin (format binary)") as copied:
        copied.write(encoder.write_header())
        for batch in pa.parquet.ParquetFile(path).iter_batches(BATCH_ROWS):
            copied.write(encoder.write_batch(batch))
            rows += len(batch)
        copied.write(encoder.finish())
    return rows, time.perf_counter() - started


LOOPS: Final[dict[str, Callable[[Connection[Any], str], tuple[int, float]]]] = {
    "parquet": to_parquet,
    "ndjson": to_ndjson,
    "xlsx": to_xlsx,
    "table": from_parquet,
}


class _Readable:
    """File-like reader of the blocks of a COPY."""

    closed = False

    def __init__(self, copied: Any) -> None:
        self._rows = iter(copied)
        self._rest = bytearray()

    def read(self, size: int) -> bytes:
        while len(self._rest) < size and (row := next(self._rows, None)) is not None:
            self._rest += row
        block, self._rest = bytes(self._rest[:size]), self._rest[size:]
        return block

    def close(self) -> None:
        self.closed = True
