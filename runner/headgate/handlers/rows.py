"""Packs a handler's rows in PostgreSQL's binary format: an array of the ingest function's row type.

Columns of fixed width are packed for all rows at once: as a matrix of bytes from which the bytes of
nulls are removed.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from headgate.handlers.input import (
    BOOL,
    DATE,
    EPOCH,
    FLOAT4,
    FLOAT8,
    FORMAT,
    INT2,
    INT4,
    INT8,
    JSON,
    JSONB,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    UNIT,
    VARCHAR,
)
from headgate.handlers.pool_messages import RowType

NAMES: Final = {
    BOOL: "boolean", INT2: "smallint", INT4: "integer", INT8: "bigint", FLOAT4: "real",
    FLOAT8: "double precision", DATE: "date", TIMESTAMPTZ: "timestamptz", TIMESTAMP: "timestamp",
    TEXT: "text", VARCHAR: "varchar", JSON: "json", JSONB: "jsonb",
}  # fmt: skip


class WrongResult(Exception):
    """A handler's result breaks its contract: an internal fault, not an asset's."""


def pack_rows(columns: Mapping[str, npt.NDArray[Any]], row_type: RowType) -> bytes:
    """Return the rows as a binary array of the row type. Raises WrongResult."""
    count = len(next(iter(columns.values())))
    if count == 0:
        return struct.pack(">iii", 0, 0, row_type.oid)
    header = struct.pack(">iiIii", 1, 0, row_type.oid, count, 1)
    fields = [_field(name, oid, columns[name]) for name, oid in row_type.columns]
    body = _blend(fields, count) if all(isinstance(f, Fixed) for f in fields) else None
    return header + (body if body is not None else _join(fields, count))


class Fixed:
    """A column of fixed width: its bytes, row by row, and its nulls."""

    def __init__(self, oid: int, values: npt.NDArray[Any], is_null: npt.NDArray[np.bool_]) -> None:
        dtype = np.dtype(FORMAT[oid])
        block = np.empty(
            len(values), np.dtype([("oid", ">u4"), ("length", ">i4"), ("value", dtype)])
        )
        block["oid"] = oid
        block["length"] = np.where(is_null, -1, dtype.itemsize)
        block["value"] = values
        self.is_null = is_null
        self.width = block.dtype.itemsize
        self.bytes = block.view(np.uint8).reshape(len(values), self.width)

    def cell(self, row: int) -> bytes:
        """Return one row's field."""
        return self.bytes[row, : 8 if self.is_null[row] else self.width].tobytes()


class Varying:
    """A column of varying width, such as text or JSON."""

    def __init__(self, oid: int, values: Sequence[bytes | None]) -> None:
        self.oid = oid
        self.values = values

    def cell(self, row: int) -> bytes:
        """Return one row's field."""
        value = self.values[row]
        if value is None:
            return struct.pack(">Ii", self.oid, -1)
        return struct.pack(">Ii", self.oid, len(value)) + value


def _blend(fields: Sequence[Any], count: int) -> bytes:
    """Return rows of fixed-width columns, packed at once; the bytes of nulls are removed."""
    width = 8 + sum(field.width for field in fields)
    matrix = np.empty((count, width), np.uint8)
    lengths = np.full(count, width - 4, ">i4")
    has_null = any(field.is_null.any() for field in fields)
    keep = np.ones((count, width), bool) if has_null else None
    place = 8
    for field in fields:
        end = place + field.width
        matrix[:, place:end] = field.bytes
        if keep is not None and field.is_null.any():
            keep[:, place + 8 : end] = ~field.is_null[:, None]
            lengths -= field.is_null * np.int32(field.width - 8)
        place = end
    matrix[:, :4] = lengths.view(np.uint8).reshape(count, 4)
    matrix[:, 4:8] = np.frombuffer(struct.pack(">i", len(fields)), np.uint8)
    return (matrix if keep is None else matrix[keep]).tobytes()


def _join(fields: Sequence[Fixed | Varying], count: int) -> bytes:
    """Return rows packed one by one, as some columns vary in width."""
    number = struct.pack(">i", len(fields))
    pieces: list[bytes] = []
    for row in range(count):
        body = number + b"".join(field.cell(row) for field in fields)
        pieces += (struct.pack(">i", len(body)), body)
    return b"".join(pieces)


def _field(name: str, oid: int, values: npt.NDArray[Any]) -> Fixed | Varying:
    if oid not in NAMES:
        raise WrongResult(f"column {name} has a type that a handler cannot return (oid {oid})")
    try:
        if oid in (TEXT, VARCHAR, JSON, JSONB):
            return Varying(oid, [_as_bytes(value, oid) for value in values.tolist()])
        return Fixed(oid, *_fixed(values, oid))
    except (TypeError, ValueError, OverflowError) as exc:
        raise WrongResult(f"column {name} is not {NAMES[oid]}: {exc}") from exc


def _fixed(values: npt.NDArray[Any], oid: int) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """Return values as PostgreSQL stores them, and which are null."""
    if oid in EPOCH:
        times = values.astype(f"datetime64[{UNIT[oid]}]")
        is_null = np.isnat(times)
        return np.where(is_null, 0, (times - EPOCH[oid]).astype(np.int64)), is_null
    if values.dtype.kind == "O":
        is_null = np.array([x is None or x != x for x in values], bool)
        values = np.where(is_null, 0, values).astype(bool if oid == BOOL else np.float64)
    elif values.dtype.kind == "f":
        is_null = np.isnan(values)
    else:
        is_null = np.zeros(len(values), bool)
    if oid in (FLOAT4, FLOAT8):
        return values.astype(np.float64), is_null
    if values.dtype.kind == "f":
        values = np.where(is_null, 0, values)
        if not np.array_equal(values, np.trunc(values)) or np.abs(values).max(initial=0) > 2**53:
            raise ValueError("not all of its numbers are whole")
    if values.dtype.kind not in "iufb" or (oid == BOOL) != (values.dtype.kind == "b"):
        raise TypeError(f"it holds {values.dtype}")
    if oid != BOOL:
        info = np.iinfo(np.dtype(FORMAT[oid]).newbyteorder("="))
        if len(values) and (values.min() < info.min or values.max() > info.max):
            raise OverflowError("a number is out of range")
    return values, is_null


def _as_bytes(value: Any, oid: int) -> bytes | None:
    if value is None or value != value:
        return None
    if oid in (JSON, JSONB):
        text = value if isinstance(value, str) else json.dumps(value, allow_nan=False)
        return (b"\x01" if oid == JSONB else b"") + text.encode()
    if not isinstance(value, str):
        raise TypeError(f"it holds {type(value).__name__}")
    if "\0" in value:
        raise ValueError("it holds a NUL character")
    return value.encode()


COPY_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_END: Final = b"\xff\xff"


def pack_copy(columns: Mapping[str, npt.NDArray[Any]], types: Mapping[str, int]) -> bytes:
    """Return the rows in the binary format of COPY. Raises WrongResult."""
    count = len(next(iter(columns.values())))
    fields = [_field(name, oid, columns[name]) for name, oid in types.items()]
    number = struct.pack(">h", len(fields))
    if not all(isinstance(field, Fixed) for field in fields):
        rows = (number + b"".join(f.cell(row)[4:] for f in fields) for row in range(count))
        return COPY_HEADER + b"".join(rows) + COPY_END
    width = 2 + sum(field.width - 4 for field in fields if isinstance(field, Fixed))
    matrix = np.empty((count, width), np.uint8)
    keep = np.ones((count, width), bool)
    matrix[:, :2] = np.frombuffer(number, np.uint8)
    place = 2
    for field in fields:
        assert isinstance(field, Fixed)
        end = place + field.width - 4
        matrix[:, place:end] = field.bytes[:, 4:]
        if field.is_null.any():
            keep[:, place + 4 : end] = ~field.is_null[:, None]
        place = end
    return COPY_HEADER + (matrix if keep.all() else matrix[keep]).tobytes() + COPY_END
