"""Reads JSON records as Arrow batches with one schema, found by a first pass, in constant memory.

JSON distinguishes only texts, integers, other numbers, booleans, lists and objects: the plan has to
declare times and decimals. Integers get the smallest type that holds all values of their column.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from headgate.errors import InvalidValue, WrongPlan
from headgate.handlers.export.tables import numeric
from headgate.handlers.records.lines import blocks

TYPES: Final[Mapping[str, Any]] = {
    "text": pa.string(),
    "boolean": pa.bool_(),
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "real": pa.float32(),
    "double precision": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", tz="UTC"),
}
WHOLE: Final = (pa.int8(), pa.int16(), pa.int32(), pa.int64())
EXACT: Final = 2**53
"""Integers below this limit are exact in a double."""
NOTHING: Final = pa.RecordBatch.from_pylist([])
MISREAD: Final = re.compile(r"(?:Column\(/?([^)]*)\) )?(.*?)(?: in row (\d+))?", re.S)


def told_types(types: Mapping[str, str]) -> dict[str, Any]:
    """Return the types of columns that a plan declares. Raises WrongPlan."""
    found = {name: TYPES.get(kind) or numeric(kind) for name, kind in types.items()}
    if wrong := [name for name, kind in found.items() if kind is None]:
        raise WrongPlan(
            f"the type of column {wrong[0]} is unknown: {types[wrong[0]]!r}; known are "
            f"{', '.join(TYPES)} and numeric(digits, scale)"
        )
    return found


class Records:
    """The records of some JSON files: their schema and their rows."""

    def __init__(
        self,
        paths: Sequence[Path],
        types: Mapping[str, Any],
        look: Callable[[Any], None] | None = None,
    ) -> None:
        """Find the schema in a first pass, and show `look` each batch. Raises InvalidValue."""
        self._paths = paths
        self._told = types
        self.count = 0
        self._highest: dict[str, int] = {}
        found: dict[str, Any] = {}
        for block in self._blocks():
            table = self._read(block, self._as_read(types), "infer")
            for field in table.schema:
                kind = field.type if field.name in types else _of_json(field.type)
                found[field.name] = _joined(field.name, found.get(field.name, kind), kind)
                self._note_highest(field.name, table.column(field.name))
            if not self.count:
                found = {name: found[name] for name in _order(block, found)}
            if look is not None:
                look(_batch_of(table))
            self.count += len(table)
        self.schema = pa.schema([(name, self._final(name, found[name])) for name in found])

    def blocks(self) -> Iterator[tuple[bytes, Any]]:
        """Yield the lines of each block, and its rows as a batch."""
        self.count = 0
        told = [(x.name, self._told.get(x.name, x.type)) for x in self.schema]
        reading = self._as_read(dict(told))
        for block in self._blocks():
            table = self._read(block, reading, "error").cast(self.schema)
            yield block, _batch_of(table)
            self.count += len(table)

    def _blocks(self) -> Iterator[bytes]:
        for path in self._paths:
            yield from blocks(path)

    def _read(self, block: bytes, schema: Any, unexpected: str) -> Any:
        try:
            return pyarrow.json.read_json(
                pa.BufferReader(block),
                pyarrow.json.ReadOptions(use_threads=False, block_size=len(block) + 1),
                pyarrow.json.ParseOptions(
                    explicit_schema=schema, unexpected_field_behavior=unexpected
                ),
            )
        except pa.ArrowInvalid as exc:
            raise InvalidValue(self._misread(str(exc))) from exc

    def _misread(self, said: str) -> str:
        found = MISREAD.fullmatch(said.removeprefix("JSON parse error: "))
        assert found is not None
        record = f"record {self.count + int(found[3]) + 1}: " if found[3] else ""
        column = f"column {found[1].replace('/', '.')} " if found[1] else ""
        return f"{record}{column}{found[2]}; the option types can declare its type"

    @staticmethod
    def _as_read(types: Mapping[str, Any]) -> Any:
        """Return the schema for the reader, which can only read a date as a timestamp."""
        seconds = pa.timestamp("s")
        return pa.schema(
            [(name, seconds if pa.types.is_date(kind) else kind) for name, kind in types.items()]
        )

    def _note_highest(self, name: str, column: Any) -> None:
        for numbers in _numbers(column):
            bounds = pc.min_max(numbers).as_py()
            if bounds["max"] is not None:
                high = max(bounds["max"], -bounds["min"] - pa.types.is_integer(numbers.type))
                self._highest[name] = max(self._highest.get(name, 0), high)

    def _final(self, name: str, kind: Any) -> Any:
        if name in self._told:
            return self._told[name]
        highest = self._highest.get(name, 0)
        if _has_double(kind) and highest >= EXACT:
            raise InvalidValue(
                f"column {name} has numbers that no double precision holds exactly: tell its type "
                "by the option types, such as numeric(38,9), or double precision if that will do; "
                "or make it a text where the records are made"
            )
        if pa.types.is_integer(kind):
            return next(x for x in WHOLE if highest < 2 ** (x.bit_width - 1))
        return _without_null(kind)


def _batch_of(table: Any) -> Any:
    """Return a table as one batch."""
    return (table.combine_chunks().to_batches() or [NOTHING])[0]


def _order(block: bytes, names: Iterable[str]) -> list[str]:
    """Return the names in the order of the first record; the reader puts declared ones first."""
    first, _ = json.JSONDecoder().raw_decode(block.lstrip().decode())
    return sorted(names, key=lambda name: list(first).index(name) if name in first else len(first))


def flat(batch: Any) -> Any:
    """Return a batch with nested objects as columns with dotted names, and lists as JSON texts."""
    table = pa.Table.from_batches([batch])
    while any(pa.types.is_struct(x.type) for x in table.schema):
        table = table.flatten()
    names = table.schema.names
    if twice := {x for x in names if names.count(x) > 1}:
        raise InvalidValue(f"two columns are called {min(twice)}")
    columns = [x.combine_chunks() for x in table.columns]
    texts = [_text_of_lists(x) if pa.types.is_list(x.type) else x for x in columns]
    return pa.RecordBatch.from_arrays(texts, names)


def _text_of_lists(column: Any) -> Any:
    texts = [
        None if x is None else json.dumps(x, ensure_ascii=False, default=str)
        for x in column.to_pylist()
    ]
    return pa.array(texts, pa.string())


def _of_json(kind: Any) -> Any:
    """Return a type with text for times, as which the reader takes texts that look like them."""
    if pa.types.is_timestamp(kind):
        return pa.string()
    if pa.types.is_struct(kind):
        return pa.struct([(x.name, _of_json(x.type)) for x in kind])
    return pa.list_(_of_json(kind.value_type)) if pa.types.is_list(kind) else kind


def _without_null(kind: Any) -> Any:
    """Return a type with text in place of null types, whose values were all null."""
    if pa.types.is_null(kind):
        return pa.string()
    if pa.types.is_struct(kind):
        return pa.struct([(x.name, _without_null(x.type)) for x in kind])
    return pa.list_(_without_null(kind.value_type)) if pa.types.is_list(kind) else kind


def _joined(name: str, one: Any, other: Any) -> Any:
    """Return a type that holds the values of both. Raises InvalidValue if there is none."""
    if one.equals(other) or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    if {one, other} == {pa.int64(), pa.float64()}:
        return pa.float64()
    if pa.types.is_list(one) and pa.types.is_list(other):
        return pa.list_(_joined(name, one.value_type, other.value_type))
    if pa.types.is_struct(one) and pa.types.is_struct(other):
        fields = {x.name: x.type for x in one}
        for x in other:
            fields[x.name] = _joined(f"{name}.{x.name}", fields.get(x.name, x.type), x.type)
        return pa.struct(list(fields.items()))
    raise InvalidValue(
        f"column {name} has values of two types, {one} and {other}: make them one where the "
        "records are made"
    )


def _numbers(column: Any) -> Iterator[Any]:
    """Yield all numbers of a column, including those in its objects and lists."""
    kind = column.type
    if pa.types.is_struct(kind):
        for nth in range(kind.num_fields):
            yield from _numbers(pc.struct_field(column, nth))
    elif pa.types.is_list(kind):
        yield from _numbers(pc.list_flatten(column))
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind):
        yield column


def _has_double(kind: Any) -> bool:
    if pa.types.is_nested(kind):
        return any(_has_double(kind.field(nth).type) for nth in range(kind.num_fields))
    return bool(pa.types.is_floating(kind))
