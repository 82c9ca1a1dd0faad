"""First loads: copies a file of rows into a table by binary COPY and sets the watermarks.

    headgate load bars.csv.gz equities.prices --operation prices_historical

All in one transaction: either all rows are loaded and their watermarks set, or nothing changes. It
is for the owner, and for tables without rows of these assets; runners do not use it.
"""

from __future__ import annotations

import gzip
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas
import psycopg
from psycopg import Connection, sql
from psycopg.rows import DictRow

from headgate.database import from_psycopg, mapped_errors
from headgate.errors import HeadgateError, InvalidValue
from headgate.handlers import WrongResult, pack_copy

logger = logging.getLogger(__name__)

BLOCK_ROWS: Final = 250_000
DATE, TIMESTAMPTZ, TIMESTAMP = 1082, 1184, 1114
ASSETS: Final = """
select asset_id, asset from headgate.v_asset_states where operation = %(operation)s
"""
NOTE: Final = """
select headgate.note_load(p_operation => %(operation)s, p_asset_ids => %(asset_ids)s::bigint[],
    p_records => %(records)s::integer[], p_watermarks => %(watermarks)s::timestamptz[]) as noted
"""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Result of a load."""

    rows: int
    assets: int
    seconds: float


def load_rows(
    connection: Connection[DictRow],
    file: Path,
    table: str,
    operation: str,
    *,
    watermark: str = "date",
) -> Loaded:
    """Copy the file into the table and set the operation's watermarks. Raises HeadgateError.

    The file is CSV, also gzipped, or parquet. Its columns are named like the table's; other columns
    keep their defaults, and `code` may replace `asset_id`. `watermark` names the column from which
    the watermarks are taken.
    """
    started = time.perf_counter()
    rows = 0
    seen: list[pandas.DataFrame] = []
    with connection.transaction():
        types = _types(connection, table)
        _note(connection, operation, pandas.DataFrame())  # fails early on an unknown operation
        found = connection.execute(ASSETS, {"operation": operation})
        ids = {x["asset"]: x["asset_id"] for x in found}
        for block in blocks(file, [name for name, oid in types.items() if oid in _TIMES]):
            frame = _with_ids(block, ids, operation)
            _check_columns(frame, types, watermark)
            copy_block(connection, table, frame, {x: types[x] for x in frame.columns})
            rows += len(frame)
            marks = frame.groupby("asset_id")[watermark]
            seen.append(pandas.DataFrame({"records": marks.size(), "watermark": marks.max()}))
            logger.info("%s: %s rows", file.name, f"{rows:,}")
        if not seen:
            raise InvalidValue(
                f"{file} holds no rows", hint="nothing was loaded: name another file"
            )
        assets = _note(connection, operation, pandas.concat(seen))
    return Loaded(rows, assets, time.perf_counter() - started)


def blocks(file: Path, dates: list[str]) -> Iterator[pandas.DataFrame]:
    """Yield the file's rows in blocks of BLOCK_ROWS, with these columns parsed as dates."""
    if not file.is_file():
        raise InvalidValue(f"there is no file {file}", hint="name a CSV, also .gz, or parquet file")
    try:
        if file.suffix == ".parquet":
            yield from _parquet_blocks(file)
            return
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
            header = pandas.read_csv(stream, nrows=0).columns
            stream.seek(0)
            parsed = [x for x in dates if x in header]
            reader: Any = pandas.read_csv(stream, chunksize=BLOCK_ROWS, parse_dates=parsed)
            yield from reader
    except (OSError, ValueError, pandas.errors.ParserError) as exc:
        raise HeadgateError(
            f"{file} cannot be read: {' '.join(str(exc).split())[:300]}",
            hint="a name that ends in .parquet, .gz or .csv says how it is read",
        ) from exc


def _parquet_blocks(file: Path) -> Iterator[pandas.DataFrame]:
    try:
        from pyarrow import parquet  # a very large package that only parquet files need
    except ImportError as exc:
        raise HeadgateError(
            f"{file} cannot be read: pyarrow is not installed",
            hint="pip install 'headgate[parquet]', or write it as CSV",
        ) from exc
    with parquet.ParquetFile(file) as opened:
        for batch in opened.iter_batches(BLOCK_ROWS):
            yield batch.to_pandas(date_as_object=False)


def copy_block(
    connection: Connection[Any], table: str, columns: Any, types: dict[str, int]
) -> None:
    """Send one block of columns by binary COPY; `types` maps their names to type oids.

    Raises InvalidValue for rows that do not fit the table or exist already.
    """
    statement = sql.SQL("copy {} ({}) from stdin (format binary)").format(
        sql.Identifier(*table.split(".")), sql.SQL(", ").join(map(sql.Identifier, types))
    )
    try:
        arrays = {name: _array(columns[name]) for name in types}
        body = pack_copy(arrays, types)
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(body)
    except WrongResult as exc:
        raise InvalidValue(
            f"the file does not fit the table: {exc}", hint="nothing was loaded: correct the file"
        ) from exc
    except psycopg.errors.UniqueViolation as exc:
        raise InvalidValue(
            f"the table has such rows already: {exc.diag.message_detail}",
            hint="a load is for assets that have no rows yet; nothing was loaded",
        ) from exc
    except psycopg.Error as exc:
        where = (exc.diag.context or "").partition(":")[0]
        raise InvalidValue(
            f"{from_psycopg(exc)} ({where}; {exc.diag.message_detail or 'no detail'})",
            hint="nothing was loaded: take the row out of the file",
        ) from exc


_TIMES = (DATE, TIMESTAMPTZ, TIMESTAMP)


def _types(connection: Connection[DictRow], table: str) -> dict[str, int]:
    """Return the type oids of the table's columns by name. Raises InvalidValue."""
    if table.count(".") != 1:
        raise InvalidValue(
            f"{table} is not schema.table", hint="name both, for example equities.prices"
        )
    name = sql.Identifier(*table.split("."))
    try:
        cursor = connection.execute(sql.SQL("select * from {} limit 0").format(name))
    except psycopg.errors.UndefinedTable as exc:
        raise InvalidValue(
            f"there is no table {table}", hint='headgate psql -c "\\dt *.*" lists the tables'
        ) from exc
    return {x.name: x.type_code for x in cursor.description or ()}


def _with_ids(frame: pandas.DataFrame, ids: dict[str, int], operation: str) -> pandas.DataFrame:
    if "asset_id" in frame or "code" not in frame:
        return frame
    found = frame["code"].map(ids)
    unknown = frame["code"][found.isna()].unique()
    if len(unknown):
        shown = ", ".join(map(str, unknown[:5])) + (", ..." if len(unknown) > 5 else "")
        raise InvalidValue(
            f"{len(unknown)} codes of the file are not assets of {operation}: {shown}",
            hint="add them by headgate.upsert_assets, or take them out of the file",
        )
    return frame.drop(columns="code").assign(asset_id=found.astype(np.int64))


def _check_columns(frame: pandas.DataFrame, types: dict[str, int], watermark: str) -> None:
    unknown = sorted(set(frame.columns) - set(types))
    missing = sorted({"asset_id", watermark} - set(frame.columns))
    if unknown or missing:
        raise InvalidValue(
            f"the file's columns are not the table's; unknown: {', '.join(unknown) or 'none'};"
            f" missing: {', '.join(missing) or 'none'}",
            hint="columns are named as the table's; `code` stands for asset_id",
        )
    if types.get(watermark) not in _TIMES:
        raise InvalidValue(
            f"the watermark {watermark} is not a date or time column of the table",
            hint="name a column that is one: --watermark COLUMN",
        )


def _array(values: Any) -> npt.NDArray[Any]:
    array = values.to_numpy() if hasattr(values, "to_numpy") else np.asarray(values)
    return array.astype(object) if array.dtype.kind in "UT" else array


def _note(connection: Connection[DictRow], operation: str, seen: pandas.DataFrame) -> int:
    arguments: dict[str, Any] = {"asset_ids": [], "records": [], "watermarks": []}
    if len(seen):
        marks = seen.groupby(level=0).agg({"records": "sum", "watermark": "max"})
        arguments = {
            "asset_ids": marks.index.tolist(),
            "records": marks["records"].tolist(),
            "watermarks": [f"{x.isoformat()}+00" for x in marks["watermark"]],
        }
    with mapped_errors():
        row = connection.execute(NOTE, {**arguments, "operation": operation}).fetchone()
    assert row is not None
    return int(row["noted"])
