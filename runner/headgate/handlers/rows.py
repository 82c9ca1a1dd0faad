"""Packs a handler's rows in PostgreSQL's binary format: an array of the ingest function's row type.

Columns of fixed width are packed for all rows at once: as a matrix of bytes from which the bytes of
nulls are removed.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
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
    fixed = [field for field in fields if isinstance(field, Fixed)]
    return header + (_blend(fixed, count) if len(fixed) == len(fields) else _join(fields))


class Fixed:
    """A column of fixed width, and its nulls; where all are null, the width is 0."""

    def __init__(self, oid: int, values: npt.NDArray[Any], is_null: npt.NDArray[np.bool_]) -> None:
        nulls = np.count_nonzero(is_null)
        self.oid = oid
        self.values = values
        self.is_null = is_null
        self.has_both = 0 < nulls < len(values)
        self.size = np.dtype(FORMAT[oid]).itemsize if nulls < len(values) else 0

    def cells(self) -> Iterator[bytes]:
        """Yield each row's field."""
        null, start = struct.pack(">Ii", self.oid, -1), struct.pack(">Ii", self.oid, self.size)
        values = self.values.astype(FORMAT[self.oid]).tobytes()
        for row, is_null in enumerate(self.is_null.tolist()):
            yield null if is_null else start + values[row * self.size : (row + 1) * self.size]


class Varying:
    """A column of varying width, such as text or JSON."""

    def __init__(self, oid: int, values: Sequence[bytes | None]) -> None:
        self.oid = oid
        self.values = values

    def cells(self) -> Iterator[bytes]:
        """Yield each row's field."""
        null = struct.pack(">Ii", self.oid, -1)
        for value in self.values:
            yield null if value is None else struct.pack(">Ii", self.oid, len(value)) + value


def _blend(fields: Sequence[Fixed], count: int) -> bytes:
    """Return rows of fixed-width columns, packed at once."""
    head = struct.pack(">ii", 0, len(fields))
    matrix, keep = _grid(fields, count, head, [struct.pack(">I", x.oid) for x in fields])
    nulls = sum(field.is_null * field.size for field in fields if field.has_both)
    _numbers(matrix, 0, ">i4")[:] = matrix.shape[1] - 4 - nulls
    return (matrix if keep is None else matrix[keep]).tobytes()


def _grid(
    fields: Sequence[Fixed], count: int, head: bytes, before: Sequence[bytes]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_] | None]:
    """Return rows as bytes: a head, and for each field what is before it, its length, its value.

    Nulls have no value: the second array has the bytes to keep, if not all.
    """
    pieces = [
        piece + struct.pack(">i", field.size or -1) + bytes(field.size)
        for piece, field in zip(before, fields, strict=True)
    ]
    row = head + b"".join(pieces)
    matrix = np.empty((count, len(row)), np.uint8)
    matrix[:] = np.frombuffer(row, np.uint8)
    keep = np.ones(matrix.shape, bool) if any(field.has_both for field in fields) else None
    end = len(head)
    for piece, field in zip(pieces, fields, strict=True):
        end += len(piece)
        place = end - field.size
        if field.size:
            _numbers(matrix, place, FORMAT[field.oid])[:] = field.values
        if keep is not None and field.has_both:
            _numbers(matrix, place - 4, ">i4")[field.is_null] = -1
            keep[field.is_null, place:end] = False
    return matrix, keep


def _numbers(matrix: npt.NDArray[np.uint8], place: int, dtype: str) -> npt.NDArray[Any]:
    """Return the numbers at a place of each row, as a view."""
    return np.ndarray(len(matrix), dtype, matrix, place, matrix.strides[:1])


def _join(fields: Sequence[Fixed | Varying]) -> bytes:
    """Return rows packed one by one, as some columns vary in width."""
    number = struct.pack(">i", len(fields))
    pieces: list[bytes] = []
    for cells in zip(*(field.cells() for field in fields), strict=True):
        body = number + b"".join(cells)
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
        return values.astype(np.float64, copy=False), is_null
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
    fixed = [field for field in fields if isinstance(field, Fixed)]
    if len(fixed) < len(fields):
        rows = zip(*(field.cells() for field in fields), strict=True)
        packed = (number + b"".join(cell[4:] for cell in cells) for cells in rows)
        return COPY_HEADER + b"".join(packed) + COPY_END
    matrix, keep = _grid(fixed, count, number, [b""] * len(fixed))
    return COPY_HEADER + (matrix if keep is None else matrix[keep]).tobytes() + COPY_END
