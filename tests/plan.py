"""Connection for tests, with a method for calling stored functions by name."""

from __future__ import annotations

from datetime import datetime
from typing import Any, LiteralString

from psycopg import Connection
from psycopg.pq import ExecStatus
from psycopg.rows import DictRow
from psycopg.sql import SQL, Composed, Identifier, Placeholder
from psycopg.types.json import Jsonb

Row = dict[str, Any]


class Plan:
    """Connection to a database: `plan.call("check_quota", p_pipeline="x", p_run_id="y")` returns rows."""

    def __init__(self, connection: Connection[DictRow]) -> None:
        self.connection = connection

    def call(self, function: str, **arguments: Any) -> list[Row]:
        """Call a function by name, by default of schema headgate; return its rows."""
        schema, _, name = function.rpartition(".")
        names = SQL(", ").join(
            SQL("{} => {}").format(Identifier(x), Placeholder(x)) for x in arguments
        )
        query = SQL("select * from {}({})").format(Identifier(schema or "headgate", name), names)
        return self._rows(query, {x: _adapted(y) for x, y in arguments.items()})

    def row(self, function: str, **arguments: Any) -> Row:
        """Call a function that returns exactly one row."""
        rows = self.call(function, **arguments)
        assert len(rows) == 1, f"{function} returned {len(rows)} rows"
        return rows[0]

    def value(self, function: str, **arguments: Any) -> Any:
        """Call a function that returns exactly one value."""
        (value,) = self.row(function, **arguments).values()
        return value

    def sql(self, query: LiteralString, **arguments: Any) -> list[Row]:
        """Run any statement and return its rows; `%(name)s` stands for an argument."""
        adapted = {x: _adapted(y) for x, y in arguments.items()}
        return self._rows(query, adapted or None)

    def scalar(self, query: LiteralString, **arguments: Any) -> Any:
        """Run a statement that returns exactly one value."""
        rows = self.sql(query, **arguments)
        assert len(rows) == 1 and len(rows[0]) == 1, f"not one value: {rows}"
        (value,) = rows[0].values()
        return value

    def advance(self) -> None:
        """Advance the executions as a runner does, until none can go on."""
        for _ in range(100):
            if not self.value("advance_executions"):
                return
        raise AssertionError("advance_executions finds something to do for ever")

    def freeze_clock(self, at: datetime | str) -> None:
        """Freeze headgate.clock() at a moment, for this session."""
        self._set("headgate.clock_frozen", str(at))

    def offset_clock(self, interval: str) -> None:
        """Shift headgate.clock() by an interval and let it run on, for this session."""
        self._set("headgate.clock_frozen", "")
        self._set("headgate.clock_offset", interval)

    def expire(self, *chunks: Row) -> None:
        """Expire the leases of these chunks."""
        for chunk in chunks:
            self.sql(
                "with late as (update headgate.chunks as c"
                " set leased_until = clock_timestamp() - interval '1 second'"
                " where c.chunk_id = %(chunk_id)s returning c.queue, c.msg_id)"
                " select pgmq.set_vt(l.queue, l.msg_id, clock_timestamp()) from late as l",
                chunk_id=chunk["chunk_id"],
            )

    def _set(self, name: str, value: str) -> None:
        self.connection.execute("select set_config(%s, %s, false)", (name, value))

    def _rows(self, query: LiteralString | Composed, arguments: Row | None) -> list[Row]:
        cursor = self.connection.execute(query, arguments)
        # `select from` has rows without columns, for which there is no description.
        has_rows = cursor.pgresult is not None and cursor.pgresult.status == ExecStatus.TUPLES_OK
        return cursor.fetchall() if has_rows else []


def _adapted(value: Any) -> Any:
    return Jsonb(value) if isinstance(value, dict) else value
