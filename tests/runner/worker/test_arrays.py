"""Arrays packed by hand arrive in PostgreSQL unchanged."""

from __future__ import annotations

import pytest

from headgate.database import connect
from headgate.worker import arrays


@pytest.mark.parametrize(
    ("packed", "kind", "values"),
    [
        (arrays.bigints, "bigint[]", []),
        (arrays.bigints, "bigint[]", [0, -1, 9_223_372_036_854_775_807]),
        (arrays.integers, "integer[]", []),
        (arrays.integers, "integer[]", [2_147_483_647, -2_147_483_648]),
        (arrays.texts, "text[]", []),
        (arrays.texts, "text[]", ["", None, 'é\n{},"\\', "NULL", "x" * 70_000]),
        (arrays.texts, "text[]", [None]),
    ],
)
def test_packed_arrays_arrive_as_they_are(server, packed, kind, values):
    with connect(server, "test") as connection:
        arrays.register(connection)
        query = f"select %s::{kind} as found, pg_typeof(%s)::text as kind"
        row = connection.execute(query, [packed(values)] * 2).fetchone()

    assert row == {"found": values, "kind": kind}


def test_the_same_text_many_times_is_packed_once():
    packed = arrays.same_texts("success", 3)

    assert packed == arrays.texts(["success"] * 3)
    assert arrays.same_texts("success", 3) is packed
    assert arrays.zeros(3) == arrays.integers([0, 0, 0])
