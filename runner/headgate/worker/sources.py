"""Calls to databases: each runs one statement there, in a read-only transaction.

This module is imported for the first statement. Rows come back as one JSON array. The provider's
rules judge an error under its SQLSTATE, such as `sql:42P01`, and a success as `sql:ok`.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple

import psycopg
from psycopg import AsyncConnection, AsyncRawCursor, Connection, sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import tuple_row

from headgate.errors import HeadgateError
from headgate.escapes import Bytes
from headgate.shown import redacted
from headgate.worker import staging
from headgate.worker.bodies import NoRoom, Reader
from headgate.worker.buffer import Buffer, Kept, Share
from headgate.worker.chunks import Call
from headgate.worker.payloads import BadPayload, Unstorable
from headgate.worker.rules import Answer, Outcome

CONNECT_SECONDS: Final = 10.0
GRACE_SECONDS: Final = 2.0
"""Seconds that the runner waits beyond the database's own time limit."""
IDLE_CONNECTION_SECONDS: Final = 30.0
BATCH_ROWS: Final = 500

AT_LOGIN: Final = (
    ("password authentication failed", "28P01"),
    ("no password supplied", "28P01"),
    ("no pg_hba.conf entry", "28000"),
    ("is not permitted to log in", "28000"),
    ("authentication failed", "28000"),
    ("role ", "28000"),
    ("database ", "3D000"),
    ("permission denied", "42501"),
    ("too many", "53300"),
    ("remaining connection slots", "53300"),
    ("the database system is", "57P03"),
)
"""Texts within the error of a refused login, and the SQLSTATE that libpq does not report."""

OURS: Final[dict[str, Any]] = {"application_name": "headgate", "client_encoding": "utf8"}
STAGING_THREADS: Final = 8
SETTINGS: Final = """
    begin transaction isolation level repeatable read read only;
    set local default_transaction_read_only = on;
    set local timezone = 'UTC';
    set local datestyle = 'ISO';
    set local statement_timeout = {milliseconds}
"""


SNAPSHOT: Final = """
    select case
        when pg_is_in_recovery() then format('%s:%1$s:', pg_snapshot_xmin(s)) else s::text
    end
    from pg_current_snapshot() as s
"""
"""The transaction's snapshot; a standby does not know which later transactions are open."""


class Verdict(NamedTuple):
    """The result of a statement."""

    outcome: Outcome
    requests: int
    payload: Bytes | None = None
    snapshot: str | None = None
    """The snapshot of its source that the statement has seen, if the call asks for it."""


@dataclass(slots=True)
class Idle:
    """A connection that waits for the next statement."""

    connection: AsyncConnection[Any]
    since: float


@dataclass(slots=True)
class Sources:
    """Runs statements on databases, over connections that are kept for a short time."""

    buffer: Buffer
    open_target: Callable[[], Connection[Any]] | None = None
    """Opens a connection to our own database, for rows that are staged."""
    idle: dict[str, list[Idle]] = field(default_factory=dict)
    threads: ThreadPoolExecutor | None = None

    async def fetch(self, call: Call, statement: str, parameters: str | None) -> Verdict:
        """Run one statement; the verdict covers all of its failures. Raises SecretMissing."""
        if call.stage is not None:
            return await self._stage(call, statement, json.loads(parameters or "{}"))
        dsn = call.auth.secret()
        values = json.loads(parameters or "[]")
        share = Share(self.buffer)
        try:
            async with asyncio.timeout(call.timeout_seconds + GRACE_SECONDS) as deadline:
                async with self._connection(dsn, call) as connection:
                    snapshot = None
                    if call.answers == "snapshot":
                        row = await (await connection.execute(SNAPSHOT)).fetchone()
                        snapshot = row[0] if row else None
                    payload = await _read(
                        connection, call, statement, values, self._reader(call, share, deadline)
                    )
            outcome = call.rules.judge(Answer("sql:ok", {"content-type": "application/json"}))
            kept = self.buffer.keep(payload) if outcome.is_success else None
            return Verdict(outcome, 1, kept, snapshot)
        except BadPayload as exc:
            return Verdict(Outcome(exc.outcome, exc.fault, str(exc)), 1)
        except NotConnected as exc:
            return Verdict(_judged(call, exc.status, exc.detail), 0)
        except (psycopg.Error, OSError, TimeoutError) as exc:
            return Verdict(_judged(call, *_status_of(exc, call)), 1)
        finally:
            share.close()

    async def _stage(self, call: Call, statement: str, given: dict[str, Any]) -> Verdict:
        """Copy a statement's rows into our database; the payload is their number."""
        if self.open_target is None:
            reason = "rows that are staged are copied by runners alone"
            return Verdict(Outcome("deferred", "internal", reason), 0)
        is_unwanted = threading.Event()
        work = partial(
            _copy, self.open_target, call, statement, given, call.auth.secret(), is_unwanted
        )
        if self.threads is None:
            self.threads = ThreadPoolExecutor(STAGING_THREADS, "headgate staging")
        try:
            rows, snapshot = await asyncio.get_running_loop().run_in_executor(self.threads, work)
        except BadPayload as exc:
            return Verdict(Outcome(exc.outcome, exc.fault, redacted(str(exc))), 1)
        except NotConnected as exc:
            return Verdict(_judged(call, exc.status, exc.detail), 0)
        except HeadgateError as exc:
            return Verdict(Outcome("retry", "internal", redacted(str(exc))), 1)
        except (psycopg.Error, OSError) as exc:
            return Verdict(_judged(call, *_status_of(exc, call)), 1)
        finally:
            is_unwanted.set()
        outcome = call.rules.judge(Answer("sql:ok", {"content-type": "application/json"}))
        payload = b'{"rows": %d}' % rows if outcome.is_success else None
        return Verdict(outcome, 1, payload, snapshot)

    async def aclose(self) -> None:
        """Close all connections."""
        if self.threads is not None:
            self.threads.shutdown(wait=False, cancel_futures=True)
        idle, self.idle = self.idle, {}
        for waiting in idle.values():
            for one in waiting:
                await one.connection.close()

    def _reader(self, call: Call, share: Share, deadline: asyncio.Timeout) -> Reader:
        limit = min(call.max_bytes, self.buffer.most)
        too_large: BadPayload = Unstorable(f"the rows are larger than {limit} bytes (max_bytes)")
        if limit < call.max_bytes:
            too_large = NoRoom(
                f"the rows are larger than {limit} bytes, half of HEADGATE_MAX_BUFFER"
            )
        return Reader(share, deadline, limit, too_large)

    @asynccontextmanager
    async def _connection(self, dsn: str, call: Call) -> AsyncIterator[AsyncConnection[Any]]:
        """Yield a connection in a read-only transaction; keep it for reuse if nothing failed."""
        now = asyncio.get_running_loop().time
        connection = await self._begun(dsn, call)
        try:
            yield connection
            await connection.execute("rollback")
        except BaseException:
            await connection.close()
            raise
        waiting = self.idle.setdefault(dsn, [])
        waiting.append(Idle(connection, now()))
        while waiting and now() - waiting[0].since > IDLE_CONNECTION_SECONDS:
            await waiting.pop(0).connection.close()

    async def _begun(self, dsn: str, call: Call) -> AsyncConnection[Any]:
        settings = _settings(call)
        while waiting := self.idle.get(dsn):
            connection = waiting.pop().connection
            try:
                await connection.execute(settings)
                return connection
            except psycopg.OperationalError:  # closed by the server: a new one shows why
                await connection.close()
        connection = await _connect(dsn, call)
        try:
            await connection.execute(settings)
        except BaseException:
            await connection.close()
            raise
        return connection


class NotConnected(Exception):
    """No statement was sent: the database cannot be reached, or refuses the login."""

    def __init__(self, status: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


async def _connect(dsn: str, call: Call) -> AsyncConnection[Any]:
    """Connect to a database. Raises NotConnected."""
    try:
        async with asyncio.timeout(_connect_seconds(call)):
            return await AsyncConnection.connect(
                dsn, autocommit=True, row_factory=tuple_row, prepare_threshold=None, **OURS
            )
    except TimeoutError:
        raise NotConnected("error:connect", "could not connect in time") from None
    except psycopg.Error as exc:
        raise _refusal(exc) from None


def _copy(
    open_target: Callable[[], Connection[Any]],
    call: Call,
    statement: str,
    given: dict[str, Any],
    dsn: str,
    is_unwanted: threading.Event,
) -> tuple[int, str | None]:
    """Copy the rows of a staged call, in a thread; return their number, and the snapshot."""
    limit = make_conninfo(dsn, connect_timeout=max(2, round(_connect_seconds(call))))
    try:
        source = Connection.connect(limit, autocommit=True, prepare_threshold=None, **OURS)
    except psycopg.Error as exc:
        raise _refusal(exc) from None
    with closing(source):
        source.execute(_settings(call))
        row = source.execute(SNAPSHOT).fetchone() if call.answers == "snapshot" else None
        rows = staging.copy(
            source, open_target, call, statement, given["parameters"], given["token"], is_unwanted
        )
        return rows, row[0] if row else None


def _connect_seconds(call: Call) -> float:
    return min(CONNECT_SECONDS, call.timeout_seconds)


def _settings(call: Call) -> sql.Composed:
    return sql.SQL(SETTINGS).format(milliseconds=max(1, round(1000 * call.timeout_seconds)))


def _refusal(exc: psycopg.Error) -> NotConnected:
    """Return why a login failed, without the address."""
    said = str(exc).rpartition("FATAL:")[2].strip() if "FATAL:" in str(exc) else ""
    state = next((code for sign, code in AT_LOGIN if sign in said), None)
    return NotConnected(
        f"sql:{state}" if state else "error:connect", redacted(said or "could not connect")
    )


async def _read(
    connection: AsyncConnection[Any],
    call: Call,
    statement: str,
    values: list[str | None],
    reader: Reader,
) -> Kept:
    """Return the rows as a JSON array. Raises BadPayload if they are too many or too large."""
    query = f'select row_to_json("?row")::text from (\n{statement}\n) as "?row"'
    data, count = Kept(b"["), 0
    async with AsyncRawCursor(connection) as cursor:
        async for (row,) in cursor.stream(query, values, size=BATCH_ROWS):
            count += 1
            if call.max_rows is not None and count > call.max_rows:
                raise Unstorable(f"the statement returns more than {call.max_rows} rows (max_rows)")
            piece = row.encode()
            if len(data) + len(piece) + 2 > reader.limit:
                raise reader.too_large
            await reader.make_room(len(piece) + 1)
            if count > 1:
                data += b","
            data += piece
    data += b"]"
    return data


def _status_of(exc: Exception, call: Call) -> tuple[str, str]:
    """Return the status of an error and the database's message, without data."""
    if isinstance(exc, psycopg.errors.QueryCanceled | TimeoutError):
        return "error:timeout", f"no answer within {call.timeout_seconds:g} seconds"
    if isinstance(exc, psycopg.Error) and exc.sqlstate:
        return f"sql:{exc.sqlstate}", redacted(exc.diag.message_primary or "")
    if isinstance(exc, psycopg.OperationalError | OSError):
        return "error:cut", "the connection broke"
    if isinstance(exc, psycopg.DataError):
        raise Unstorable("the rows are not UTF-8") from None
    return "error:cut", redacted(str(exc))


def _judged(call: Call, status: str, detail: str) -> Outcome:
    outcome = call.rules.judge(Answer(status))
    shown = f"{status.removeprefix('sql:')}: {detail}" if status.startswith("sql:") else detail
    return outcome.detailed(shown)
