"""Rows of fixed-width columns are packed at once, and are the same as packed one by one."""

from __future__ import annotations

import numpy as np
import pytest

from headgate.handlers import rows
from headgate.handlers.input import BOOL, DATE, FLOAT4, FLOAT8, INT2, INT4, INT8, TIMESTAMPTZ

NONE, SOME, ALL = [0, 0, 0], [0, 1, 0], [1, 1, 1]
NUMBERS = np.array([1.0, -2.0, 1e9])
TIMES = np.array(["2026-01-01", "1999-12-31", "2026-02-28"], "datetime64[D]")


def flags(nulls: list[int]) -> np.ndarray:
    """Return booleans in which null is None."""
    return np.array([None if x else True for x in nulls], object)


@pytest.mark.parametrize("others", [NONE, SOME, ALL])
@pytest.mark.parametrize("nulls", [NONE, SOME, ALL])
def test_nulls_in_some_rows_in_all_and_in_none(nulls: list[int], others: list[int]):
    numbers = np.where(nulls, np.nan, NUMBERS)
    times = np.where(others, np.datetime64("NaT"), TIMES)
    given = [
        (FLOAT8, numbers), (FLOAT4, numbers), (INT8, numbers), (INT4, numbers),
        (INT2, np.where(nulls, np.nan, 7)), (BOOL, flags(others)),
        (DATE, times), (TIMESTAMPTZ, times), (INT8, np.array([1, 2, 3])),
    ]  # fmt: skip
    fields = [rows._field("x", oid, values) for oid, values in given]
    fixed = [field for field in fields if isinstance(field, rows.Fixed)]

    assert len(fixed) == len(given)
    assert rows._blend(fixed, 3) == rows._join(fields)
