"""Copies rows of another database into a staging table, by binary COPY, in constant memory.

Runs in a thread. Rows are read while the batch before them is written. Each batch is a short
transaction of our database, begun only when the whole batch has been read. The source's query adds
the lease's token to every row, so rows are passed on without being parsed.
"""

from __future__ import annotations

import re
import select
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import chain
from typing import Any, Final

import psycopg
from psycopg import Connection, RawCursor, sql
from psycopg.errors import error_from_result
from psycopg.pq import Escaping, ExecStatus

from headgate.database import from_psycopg
from headgate.worker.chunks import Call, Stage
from headgate.worker.copying import END, LOOK_SECONDS, START, blocks
from headgate.worker.payloads import Unstorable

TOKEN: Final = ("chunk_id", "lease_no", "asset_id")
PLACE: Final = re.compile(rb"\$([0-9]+)")
INTEGERS: Final = (21, 23, 20)
WIDER: Final = {
    1700: {*INTEGERS, 1700},
    701: {700, 701},
    25: {25, 1043, 1042, 19},
    1043: {25, 1043, 1042, 19},
    1042: {25, 1043, 1042},
    20: {*INTEGERS},
    23: {21, 23},
    3802: {114, 3802},
}
"""By the OID of a column's type, the OIDs of the types that are cast to it."""


def copy(
    source: Connection[Any],
    open_target: Callable[[], Connection[Any]],
    call: Call,
    statement: str,
    values: list[str | None],
    token: list[int],
    is_unwanted: threading.Event,
) -> int:
    """Copy the rows of a statement; return their number. Raises psycopg.Error, Unstorable."""
    stage = call.stage
    assert stage is not None
    columns = _columns(source, stage, statement, values)
    query = _query(source, columns, statement, values, token)
    with closing(open_target()) as target:
        writer = Writer(target, stage)
        rows = 0
        copied = blocks(source, query, is_unwanted, pump=writer.pump, form="binary")
        for pieces, count in copied:
            rows += count
            if call.max_rows is not None and rows > call.max_rows:
                raise Unstorable(f"the statement returns more than {call.max_rows} rows (max_rows)")
            writer.write(pieces)
        writer.finish()
    return rows


def _columns(
    source: Connection[Any], stage: Stage, statement: str, values: list[str | None]
) -> list[str]:
    """Have the source check the statement; return its columns, cast to the types of the stage."""
    with RawCursor(source) as cursor:
        query = f'select "?row".* from (\n{statement}\n) as "?row" limit 0'
        cursor.execute(query, values, prepare=True)
        found = {x.name: (x.type_code, x.type_display) for x in cursor.description or ()}
    names = [name for name, _, _ in stage.columns]
    if lacking := [x for x in names if x not in found]:
        raise Unstorable(f"the statement lacks the stage's columns {', '.join(lacking)}")
    if unknown := [x for x in found if x not in names]:
        raise Unstorable(f"the stage has no columns {', '.join(unknown[:20])}")
    for name, wanted, oid in stage.columns:
        given, shown = found[name]
        if given != oid and given not in WIDER.get(oid, ()):
            raise Unstorable(
                f"column {name} is {shown}, and the stage's is {wanted}: cast it in the statement"
            )
    return [
        f'"?row".{sql.Identifier(name).as_string(source)}'
        + ("" if found[name][0] == oid else f"::{kind}")
        for name, kind, oid in stage.columns
    ]


def _query(
    source: Connection[Any],
    columns: list[str],
    statement: str,
    values: list[str | None],
    token: list[int],
) -> bytes:
    """Return the COPY statement; COPY takes no parameters, so their values become literals.

    The source has just accepted each placeholder as a parameter, so none is within quotes.
    """
    escaping = Escaping(source.pgconn)

    def literal(found: re.Match[bytes]) -> bytes:
        value = values[int(found[1]) - 1]
        return b" null " if value is None else b" %b " % escaping.escape_literal(value.encode())

    head = (
        f"select {token[0]}::bigint, {token[1]}::integer, {token[2]}::bigint, {', '.join(columns)}"
    )
    return b'copy (%b from (\n%b\n) as "?row") to stdout (format binary)' % (
        head.encode(),
        PLACE.sub(literal, statement.encode()),
    )


class Writer:
    """Writes batches, each in a transaction, while the same thread reads the next one.

    Two threads would wait longer for Python's lock than for the databases.
    """

    def __init__(self, target: Connection[Any], stage: Stage) -> None:
        names = (*TOKEN, *(name for name, _, _ in stage.columns))
        statement = sql.SQL("copy {} ({}) from stdin (format binary)").format(
            sql.Identifier("headgate_stage", stage.table),
            sql.SQL(", ").join(map(sql.Identifier, names)),
        )
        self._statement = statement.as_bytes(target)
        self._pgconn = target.pgconn
        self._is_open = self._is_ended = False
        self._rest: Iterator[bytes] = iter(())

    def write(self, pieces: list[bytes]) -> None:
        """Begin to write a batch, once the previous one is committed."""
        self.finish()
        result = self._pgconn.exec_(self._statement)
        if result.status != ExecStatus.COPY_IN:
            raise _misfit(error_from_result(result, encoding="utf-8"))
        self._is_open, self._is_ended = True, False
        self._rest = chain((START,), pieces, (END,))
        self.pump()

    def pump(self) -> bool:
        """Send what the socket takes; return whether something is left."""
        if not self._is_open:
            return False
        while self._pgconn.flush() == 0:
            piece = next(self._rest, None)
            if piece is not None:
                self._pgconn.put_copy_data(piece)
            elif self._is_ended:
                return False
            else:
                self._pgconn.put_copy_end()
                self._is_ended = True
        return True

    def finish(self) -> None:
        """Wait until the batch is committed. Raises Unstorable if a row does not fit."""
        if not self._is_open:
            return
        pgconn = self._pgconn
        while self.pump():
            readable, _, _ = select.select([pgconn.socket], [pgconn.socket], [], LOOK_SECONDS)
            if readable:
                pgconn.consume_input()
        while pgconn.is_busy():
            select.select([pgconn.socket], [], [], LOOK_SECONDS)
            pgconn.consume_input()
        self._is_open = False
        result = pgconn.get_result()
        while pgconn.get_result() is not None:
            pass
        if result is not None and result.status != ExecStatus.COMMAND_OK:
            raise _misfit(error_from_result(result, encoding="utf-8"))


def _misfit(exc: psycopg.Error) -> Exception:
    """Return the exception for an error of our own database: Unstorable if a row does not fit."""
    if (exc.sqlstate or "").startswith(("22", "23")):
        return Unstorable(f"a row does not fit the stage: {exc.diag.message_primary}")
    return from_psycopg(exc)
