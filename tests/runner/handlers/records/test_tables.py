"""JSON values in tables: nothing is lost, and values that would be are rejected by name."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from headgate.errors import InvalidValue, WrongPlan
from headgate.handlers.records import lines
from headgate.handlers.records.tables import Records, flat, told_types


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Read lines, each in a block of its own."""
    monkeypatch.setattr(lines, "BLOCK_BYTES", 1)

    def read(*rows: str, **types: str) -> tuple[dict[str, str], list[dict[str, object]]]:
        (tmp_path / "file").write_text("\n".join(rows))
        records = Records([tmp_path / "file"], told_types(types))
        found = [row for _, batch in records.blocks() for row in batch.to_pylist()]
        assert records.count == len(rows)
        return {x.name: str(x.type) for x in records.schema}, found

    return read


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "null", "-128"], "int8"),
        (["1", "128"], "int16"),
        (["-32769"], "int32"),
        (["2147483648"], "int64"),
        (["-2147483648"], "int32"),
        (["1", "1.5"], "double"),
        (["true", "null"], "bool"),
        (["null", "null"], "string"),
        (['"2026-11-29T02:00:00Z"', '"soon"'], "string"),
        (["[]", "[1]", "[1.5]"], "list<item: double>"),
        (['{"b": 1}', '{"c": null}', "null"], "struct<b: int64, c: string>"),
    ],
)
def test_a_column_s_type_holds_all_of_its_values(read, values, kind):
    types, rows = read(*(f'{{"a": {x}}}' for x in values))

    assert types == {"a": kind}
    if "struct" not in kind:
        assert [x["a"] for x in rows] == [json.loads(x) for x in values]


def test_types_are_told_where_json_has_none(read):
    _, rows = read(
        '{"price": 12.50, "day": "2026-11-29", "at": "2026-11-29T02:00:00.25+02:00", "id": 1}',
        '{"price": "0.10", "id": 2}',
        price="numeric(12,2)", day="date", at="timestamptz", id="bigint",
    )  # fmt: skip

    at = datetime(2026, 11, 29, 0, 0, 0, 250_000, tzinfo=UTC)
    assert rows[0] == {"price": Decimal("12.50"), "day": date(2026, 11, 29), "at": at, "id": 1}
    assert rows[1]["price"] == Decimal("0.10")


def test_columns_stand_as_the_first_record_has_them_also_told_ones(read):
    types, _ = read('{"b": 1, "a": "x"}', '{"c": 1}', a="text", d="date")

    assert list(types) == ["b", "a", "d", "c"]


@pytest.mark.parametrize(
    ("rows", "types", "said"),
    [
        (['{"a": 1}', '{"a": "x"}'], {}, "column a has values of two types, int64 and string"),
        (['{"a": 1, "b": 1}', '{"a": 1'], {}, "record 2: Missing a comma or '}'"),
        (['{"a": 1}', '{"a": 2.5}'], {"a": "integer"}, "2.5"),
        (['{"a": 70000}'], {"a": "smallint"}, "70000"),
        (['{"a": 99999999999999999999}'], {}, "column a has numbers that no double precision holds"),
        (['{"a": 9007199254740993}', '{"a": 1.5}'], {}, "column a has numbers that no double"),
        (['{"a": {"b": [9007199254740993, 0.5]}}'], {}, "column a has numbers that no double"),
        (['{"a": 1.555}'], {"a": "numeric(5,2)"}, "1.555 requires scale 3"),
    ],
)  # fmt: skip
def test_values_that_would_lose_digits_are_refused_by_name(read, rows, types, said):
    with pytest.raises(InvalidValue) as caught:
        read(*rows, **types)
    assert said in str(caught.value)


def test_an_invalid_type_is_named():
    with pytest.raises(
        WrongPlan, match="the type of column a is unknown: 'money'; known are text, "
    ):
        told_types({"a": "money"})


def test_objects_become_columns_and_lists_json_where_a_table_is_flat():
    batch = pa.RecordBatch.from_pylist([{"a": {"b": {"c": 1}, "d": ["ä", "e"]}}, {"a": None}])

    assert flat(batch).to_pylist() == [
        {"a.b.c": 1, "a.d": '["ä", "e"]'}, {"a.b.c": None, "a.d": None},
    ]  # fmt: skip


def test_two_columns_of_one_name_are_refused_there():
    with pytest.raises(InvalidValue, match=r"two columns are called a\.b"):
        flat(pa.RecordBatch.from_pylist([{"a.b": 1, "a": {"b": 1}}]))
