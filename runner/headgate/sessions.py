"""Database sessions with pinned settings, so that text, dates and SQL mean the same everywhere.

All connections of Headgate are opened here, including those from Airflow. The pinned settings are
sent as login options. A pooler (PgBouncer) rejects or ignores these options; it is detected because
the process number it announces differs from the server's. Behind a pooler each transaction may run
on another server connection. Such a session therefore uses no prepared statements, receives no
notifications, and needs the settings that the pooler does not track to be right on the server
itself. Of several hosts, the one that accepts writes is used, and a silent one is given up soon.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, LiteralString, TypeAlias

import psycopg
from psycopg import AsyncConnection, Connection, Cursor
from psycopg.pq import Format
from psycopg.rows import Row, dict_row, tuple_row

from headgate.conninfo import effective
from headgate.errors import ServerUnsuitable

PINNED: Final[Mapping[LiteralString, LiteralString]] = {
    "DateStyle": "ISO, MDY",
    "TimeZone": "UTC",
    "standard_conforming_strings": "on",
    "IntervalStyle": "postgres",
    "search_path": "public",
    "default_transaction_isolation": "read committed",
    "array_nulls": "on",
    "quote_all_identifiers": "off",
    "transform_null_equals": "off",
}
KEPT_BY_POOLERS: Final = ("DateStyle", "TimeZone", "standard_conforming_strings")
"""Settings that a pooler tracks and restores for each client: they can be set in the session."""
WITHOUT_EFFECT: Final = ("IntervalStyle", "search_path")
"""Settings that need no check: intervals are read in binary, and names have their schema."""

ALIVE: Final[Mapping[str, int]] = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
"""A server that is silent, because its machine or the network is gone, is given up after 25 s. The
system's own limits are 15 minutes while something is unacknowledged, and two hours otherwise."""

LOOK: Final = "select pg_catalog.pg_backend_pid()" + "".join(
    f", pg_catalog.current_setting('{name}')" for name in PINNED
)
KEEP: Final = "select " + ", ".join(
    f"pg_catalog.set_config('{name}', '{PINNED[name]}', false)" for name in KEPT_BY_POOLERS
)
GET: Final = "select pg_catalog.current_setting(%s, true)"
REFUSED: Final = re.compile("unsupported (?:options )?startup parameter")
OPTION: Final = re.compile(r"(?:-c\s*|--)([\w.]+)=((?:\\.|\S)*)")

AnyConnection: TypeAlias = Connection[Any] | AsyncConnection[Any]
Steps: TypeAlias = Generator[tuple[LiteralString, tuple[str, ...]], Any, bool]


class BinaryCursor(Cursor[Row]):
    """Cursor that fetches rows in binary, so that no date or interval is parsed from text."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.format = Format.BINARY


def open_session(
    conninfo: str, *, any_encoding: bool = False, autocommit: bool = True, **given: Any
) -> Connection[Any]:
    """Open a session; `given` holds further parameters of libpq and psycopg.

    Raises ServerUnsuitable if the encoding would corrupt text or a setting would change what a
    statement means.
    """
    login = _Login(conninfo, given)
    try:
        connection = Connection.connect(conninfo, **login.pinned)
    except psycopg.OperationalError as exc:
        with login.refused(exc):
            connection = Connection.connect(conninfo, **login.bare)
    try:
        if _run(connection, login.examine(connection, any_encoding)):
            connection.prepare_threshold = None
        connection.autocommit = autocommit
    except BaseException:
        connection.close()
        raise
    return connection


async def aopen_session(
    conninfo: str, *, any_encoding: bool = False, autocommit: bool = True, **given: Any
) -> AsyncConnection[Any]:
    """Open an asynchronous session; see `open_session`."""
    login = _Login(conninfo, given)
    try:
        connection = await AsyncConnection.connect(conninfo, **login.pinned)
    except psycopg.OperationalError as exc:
        with login.refused(exc):
            connection = await AsyncConnection.connect(conninfo, **login.bare)
    try:
        if await _arun(connection, login.examine(connection, any_encoding)):
            connection.prepare_threshold = None
        await connection.set_autocommit(autocommit)
    except BaseException:
        await connection.close()
        raise
    return connection


def is_pooled(connection: AnyConnection) -> bool:
    """Return whether the connection goes through a pooler: no notifications, no session state."""
    return connection.prepare_threshold is None


def may_stray(parts: Mapping[str, Any]) -> bool:
    """Return whether a connection to several hosts may reach one that accepts no writes."""
    hosts = parts.get("hostaddr") or parts.get("host") or ""
    return "," in hosts and parts.get("target_session_attrs", "any") == "any"


class _Login:
    """Options sent with a login, and the check that they took effect."""

    def __init__(self, conninfo: str, given: Mapping[str, Any]) -> None:
        named = {**effective(conninfo), **given}
        asked = given.get("options") or effective(conninfo).get("options", "")
        pins = (f"-c {x}={y.replace(' ', chr(92) + ' ')}" for x, y in PINNED.items())
        common: dict[str, Any] = {x: y for x, y in ALIVE.items() if x not in named}
        common |= {"row_factory": dict_row, **given, "client_encoding": "UTF8", "autocommit": True}
        if may_stray(named):
            common["target_session_attrs"] = "read-write"
        self.pinned = common | {"options": " ".join((asked, *pins)).strip()}
        self.bare = common | {"options": asked}
        self._asked = {x: re.sub(r"\\(.)", r"\1", y) for x, y in OPTION.findall(asked)}

    @contextmanager
    def refused(self, exc: psycopg.OperationalError) -> Iterator[None]:
        """Retry the login without pinned settings if a pooler rejected them; else raise `exc`."""
        if not REFUSED.search(str(exc)):
            raise exc
        try:
            yield
        except psycopg.OperationalError as again:
            if REFUSED.search(str(again)):
                raise _left_out(", ".join(self._asked)) from again
            raise

    def examine(self, connection: AnyConnection, any_encoding: bool) -> Steps:
        """Yield the statements that check the session; return whether it goes through a pooler."""
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8" and not any_encoding:
            raise ServerUnsuitable(
                f"database {connection.info.dbname} is encoded in {encoding}; Headgate needs UTF8",
                hint="name another one: HEADGATE_DATABASE=... headgate migrate makes it in UTF8",
            )
        pid, *_ = yield LOOK, ()
        if pid == connection.info.backend_pid:
            return False
        try:
            yield "begin", ()
            yield "rollback", ()
        except psycopg.Error as exc:
            raise ServerUnsuitable(
                f"the pooler lets no transaction pass: {str(exc).strip()}",
                hint="set its pool_mode to transaction, or name the server itself",
            ) from exc
        yield KEEP, ()
        _, *values = yield LOOK, ()
        for (name, wanted), value in zip(PINNED.items(), values, strict=True):
            if value != wanted and name not in WITHOUT_EFFECT:
                raise _deviates(connection, name, value, wanted)
        for name, wanted in self._asked.items():
            if (yield GET, (name,)) != (wanted,):
                raise _left_out(name)
        return True


def _deviates(connection: AnyConnection, name: str, value: str, wanted: str) -> ServerUnsuitable:
    info = connection.info
    return ServerUnsuitable(
        f"behind a pooler {name} is {value!r}; Headgate needs {wanted!r}",
        hint=f"alter role {info.user} in database {info.dbname} set {name} = '{wanted}'; "
        "then let the pooler reconnect (PgBouncer: reconnect)",
    )


def _left_out(names: str) -> ServerUnsuitable:
    return ServerUnsuitable(
        f"the pooler leaves out what the login's options ask for: {names}",
        hint="take `options` out of the connection and PGOPTIONS out of the environment, "
        "or name the server itself",
    )


def _run(connection: Connection[Any], steps: Steps) -> bool:
    """Execute the yielded statements, sending each one's row or error back into the generator."""
    resume: Callable[[Any], Any] = steps.send
    brought: Any = None
    with connection.cursor(row_factory=tuple_row) as cursor:
        while True:
            try:
                statement, arguments = resume(brought)
            except StopIteration as end:
                return bool(end.value)
            try:
                cursor.execute(statement, arguments or None, prepare=False)
                resume, brought = steps.send, cursor.fetchone() if cursor.description else None
            except psycopg.Error as exc:
                resume, brought = steps.throw, exc


async def _arun(connection: AsyncConnection[Any], steps: Steps) -> bool:
    """Execute the yielded statements asynchronously; see `_run`."""
    resume: Callable[[Any], Any] = steps.send
    brought: Any = None
    async with connection.cursor(row_factory=tuple_row) as cursor:
        while True:
            try:
                statement, arguments = resume(brought)
            except StopIteration as end:
                return bool(end.value)
            try:
                await cursor.execute(statement, arguments or None, prepare=False)
                brought = await cursor.fetchone() if cursor.description else None
                resume = steps.send
            except psycopg.Error as exc:
                resume, brought = steps.throw, exc
