"""Converts input rows from PostgreSQL's binary format to numpy arrays, a whole array at a time."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from headgate.errors import WrongPlan
from headgate.handlers.contract import Chunk, File
from headgate.handlers.pool_messages import Cells, Input, Task

BOOL, INT8, INT2, INT4, TEXT, JSON = 16, 20, 21, 23, 25, 114
FLOAT4, FLOAT8, DATE, TIMESTAMPTZ = 700, 701, 1082, 1184
VARCHAR, TIMESTAMP, JSONB = 1043, 1114, 3802
ELEMENT: Final = {
    1000: BOOL, 1016: INT8, 1005: INT2, 1007: INT4, 1009: TEXT, 1015: VARCHAR, 1021: FLOAT4,
    1022: FLOAT8, 1182: DATE, 1185: TIMESTAMPTZ, 1115: TIMESTAMP,
}  # fmt: skip
FORMAT: Final = {
    BOOL: "?", INT2: ">i2", INT4: ">i4", INT8: ">i8", FLOAT4: ">f4", FLOAT8: ">f8", DATE: ">i4",
    TIMESTAMPTZ: ">i8", TIMESTAMP: ">i8",
}  # fmt: skip
TEXTS: Final = (TEXT, VARCHAR, JSON)
EPOCH: Final = {
    DATE: np.datetime64("2000-01-01", "D"),
    TIMESTAMPTZ: np.datetime64("2000-01-01", "us"),
    TIMESTAMP: np.datetime64("2000-01-01", "us"),
}
UNIT: Final = {DATE: "D", TIMESTAMPTZ: "us", TIMESTAMP: "us"}
SMALLEST: Final = -(2**31)


def read_chunk(task: Task) -> Chunk:
    """Return the task's chunk, with its input in the order of its assets."""
    asset_ids = np.array(task.asset_ids, np.int64)
    columns, values, lengths = _read_input(task.input, task.asset_ids)
    return Chunk(
        asset_ids=asset_ids,
        codes=task.codes,
        watermarks=np.array([x or "NaT" for x in task.watermarks], "datetime64[us]"),
        parameters=task.context.get("params") or {},
        now=datetime.fromisoformat(task.context["now"]),
        columns=columns,
        values=values,
        lengths=lengths,
        options=task.options,
        names=task.names,
        folder=None if task.folder is None else Path(task.folder),
        stream=None if task.stream is None else Path(task.stream),
        files=_files(task),
        stage=task.stage,
    )


def _files(task: Task) -> dict[int, dict[str, File]]:
    files: dict[int, dict[str, File]] = {}
    for file in task.files:
        place = Path(task.folder or "") / file.file
        files.setdefault(file.asset_id, {})[file.name] = File(place, file.rows, file.media_type)
    return files


def _read_input(
    given: Input, asset_ids: Sequence[int]
) -> tuple[dict[str, npt.NDArray[Any]], dict[str, npt.NDArray[Any]], npt.NDArray[np.int64]]:
    """Return series, values and the number of rows of each asset. Raises WrongPlan."""
    if not given.columns:
        return {}, {}, np.zeros(len(asset_ids), np.int64)
    cells = _in_order(given, asset_ids)
    columns: dict[str, npt.NDArray[Any]] = {}
    values: dict[str, npt.NDArray[Any]] = {}
    lengths: npt.NDArray[np.int64] | None = None
    for index, (name, oid) in enumerate(given.columns[1:], start=1):
        column = [row[index] if row else None for row in cells]
        if oid in ELEMENT:
            columns[name], found = _series(name, column, ELEMENT[oid])
            if lengths is not None and not np.array_equal(lengths, found):
                raise WrongPlan(f"the input's arrays differ in length: {name} and those before it")
            lengths = found
        else:
            values[name] = _values(name, column, oid)
    if lengths is None:
        lengths = np.array([row is not None for row in cells], np.int64)
    return columns, values, lengths


def _in_order(given: Input, asset_ids: Sequence[int]) -> list[list[bytes | None] | None]:
    """Return the row of each asset, or None for an asset without a row."""
    name, oid = given.columns[0]
    if name != "asset_id" or oid != INT8:
        raise WrongPlan("the input function's first column must be asset_id bigint")
    rows: dict[int, list[bytes | None]] = {}
    for row in given.cells:
        key = int.from_bytes(row[0] or b"")
        if key in rows:
            raise WrongPlan(
                f"the input function returned asset {key} twice",
                hint="return one row for each asset, its series as arrays",
            )
        rows[key] = row
    return [rows.get(asset_id) for asset_id in asset_ids]


def _series(
    name: str, column: Sequence[bytes | None], oid: int
) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """Return the arrays of all assets joined into one, and the length of each."""
    if oid in TEXTS:
        texts = [_text_items(cell) for cell in column]
        flat = np.array([x for items in texts for x in items], object)
        return flat, np.array([len(items) for items in texts], np.int64)
    bodies: list[bytes] = []
    lengths = np.zeros(len(column), np.int64)
    size = np.dtype(FORMAT[oid]).itemsize
    for nth, cell in enumerate(column):
        if cell is None or len(cell) < 20:  # null or empty
            continue
        dimensions, has_null, _, count = struct.unpack_from(">iiii", cell)
        if dimensions != 1:
            raise WrongPlan(f"the input's column {name} has arrays of {dimensions} dimensions")
        lengths[nth] = count
        body = cell[20:]
        bodies.append(_with_room_for_nulls(body, count, size) if has_null else body)
    items = np.frombuffer(b"".join(bodies), np.dtype([("length", ">i4"), ("value", FORMAT[oid])]))
    is_null = items["length"] < 0
    return _native(items["value"], oid, is_null if is_null.any() else None), lengths


def _with_room_for_nulls(body: bytes, count: int, size: int) -> bytes:
    """Return the body with zero bytes for nulls, which PostgreSQL's format omits."""
    pieces = []
    place = 0
    for _ in range(count):
        (length,) = struct.unpack_from(">i", body, place)
        end = place + 4 + max(0, length)
        pieces.append(body[place:end])
        if length < 0:
            pieces.append(bytes(size))
        place = end
    return b"".join(pieces)


def _values(name: str, column: Sequence[bytes | None], oid: int) -> npt.NDArray[Any]:
    """Return one value for each asset."""
    if oid in TEXTS:
        return np.array([None if cell is None else cell.decode() for cell in column], object)
    if oid == JSONB:
        return np.array([None if cell is None else cell[1:].decode() for cell in column], object)
    if oid not in FORMAT:
        raise WrongPlan(
            f"the input's column {name} has a type that no array can hold (oid {oid})",
            hint="cast it to double precision, bigint, boolean, date, timestamptz or text",
        )
    size = np.dtype(FORMAT[oid]).itemsize
    raw = np.frombuffer(b"".join(cell or bytes(size) for cell in column), FORMAT[oid])
    is_null = np.array([cell is None for cell in column], bool)
    return _native(raw, oid, is_null if is_null.any() else None)


def _native(
    raw: npt.NDArray[Any], oid: int, is_null: npt.NDArray[np.bool_] | None
) -> npt.NDArray[Any]:
    """Return numbers in native byte order, times as datetime64, nulls as nan, NaT or None."""
    values = np.ascontiguousarray(raw).astype(raw.dtype.newbyteorder("="))
    if oid in EPOCH:
        times: npt.NDArray[Any] = EPOCH[oid] + values.astype("int64").astype(
            f"timedelta64[{UNIT[oid]}]"
        )
        if is_null is not None:
            times[is_null] = np.datetime64("NaT")
        return times
    if is_null is None:
        return values
    if oid == BOOL:
        flags = values.astype(object)
        flags[is_null] = None
        return flags
    numbers = values.astype(np.float64)
    numbers[is_null] = np.nan
    return numbers


def _text_items(cell: bytes | None) -> list[str | None]:
    if cell is None or len(cell) < 20:
        return []
    (count,) = struct.unpack_from(">i", cell, 12)
    items: list[str | None] = []
    place = 20
    for _ in range(count):
        (length,) = struct.unpack_from(">i", cell, place)
        place += 4
        items.append(None if length < 0 else cell[place : place + length].decode())
        place += max(0, length)
    return items


__all__ = ["Cells", "read_chunk"]
