"""Arrow types by the OIDs of PostgreSQL types, for exported files and for stages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa

NUMERIC: Final = 1700
ANY_NUMERIC: Final = pa.decimal128(38, 9)
"""The type of a numeric without declared precision."""
TYPES: Final[Mapping[int, Any]] = {
    16: pa.bool_(),
    21: pa.int16(),
    23: pa.int32(),
    20: pa.int64(),
    700: pa.float32(),
    701: pa.float64(),
    1082: pa.date32(),
    1114: pa.timestamp("us"),
    1184: pa.timestamp("us", tz="UTC"),
}
"""Booleans, numbers and times; the caller adds numeric and texts."""
