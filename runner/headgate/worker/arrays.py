"""Packs PostgreSQL arrays in binary format, each in one step.

psycopg adapts a list element by element: 400 to 800 µs for the arrays of 200 jobs. Packing them
here takes 30 µs, which matters to a runner that drains chunks without calls.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache

from psycopg import pq
from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import Dumper

from headgate.escapes import Bytes

INT4, INT8, TEXT = 23, 20, 25
NULL = b"\xff\xff\xff\xff"

_header = struct.Struct(">iiIii").pack
_length = struct.Struct(">i").pack


class BigintArray(bytes):
    """A packed bigint[]."""


class IntegerArray(bytes):
    """A packed integer[]."""


class TextArray(bytes):
    """A packed text[]."""


def bigints(values: Sequence[int]) -> BigintArray:
    """Pack a bigint[]."""
    return BigintArray(_fixed(values, INT8, 8, "q"))


def integers(values: Sequence[int]) -> IntegerArray:
    """Pack an integer[]."""
    return IntegerArray(_fixed(values, INT4, 4, "i"))


def texts(values: Sequence[str | Bytes | None]) -> TextArray:
    """Pack a text[] from strings or UTF-8 bytes; None becomes NULL."""
    pieces: list[Bytes] = [
        _header(1, 1, TEXT, len(values), 1) if values else _header(0, 0, TEXT, 0, 0)[:12]
    ]
    for value in values:
        if value is None:
            pieces.append(NULL)
        else:
            encoded = value.encode() if isinstance(value, str) else value
            pieces += (_length(len(encoded)), encoded)
    return TextArray(b"".join(pieces))


@lru_cache(maxsize=256)
def same_texts(value: str | None, count: int) -> TextArray:
    """Pack a text[] that repeats one value `count` times."""
    return texts([value] * count)


@lru_cache(maxsize=256)
def zeros(count: int) -> IntegerArray:
    """Pack an integer[] of `count` zeros."""
    return integers([0] * count)


def register(context: AdaptContext) -> None:
    """Register the dumpers of packed arrays with a connection."""
    for kind, dumper in (
        (BigintArray, _BigintArrayDumper),
        (IntegerArray, _IntegerArrayDumper),
        (TextArray, _TextArrayDumper),
    ):
        context.adapters.register_dumper(kind, dumper)


def rows(context: AdaptContext, packed: bytes, array_oid: int) -> bytes:
    """Return a packed array of rows as an array of its type, which the connection can send."""
    kind, dumper = _row_array(array_oid)
    context.adapters.register_dumper(kind, dumper)
    return kind(packed)


def _fixed(values: Sequence[int], oid: int, size: int, code: str) -> bytes:
    if not values:
        return _header(0, 0, oid, 0, 0)[:12]
    items = [size] * (2 * len(values))
    items[1::2] = values
    body = struct.pack(f">{('i' + code) * len(values)}", *items)
    return _header(1, 0, oid, len(values), 1) + body


class _PackedDumper(Dumper):
    format = pq.Format.BINARY

    def dump(self, obj: bytes) -> Buffer:
        return obj


@lru_cache(maxsize=256)
def _row_array(array_oid: int) -> tuple[type[bytes], type[Dumper]]:
    dumper = type(f"_RowArrayDumper{array_oid}", (_PackedDumper,), {"oid": array_oid})
    return type(f"RowArray{array_oid}", (bytes,), {}), dumper


class _BigintArrayDumper(_PackedDumper):
    oid = 1016


class _IntegerArrayDumper(_PackedDumper):
    oid = 1007


class _TextArrayDumper(_PackedDumper):
    oid = 1009
