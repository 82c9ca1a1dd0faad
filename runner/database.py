"""Connections to the database, with our name on them and errors that say what to do."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection, Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.errors import Diagnostic
from psycopg.rows import DictRow, dict_row

from runner.errors import (
    DatabaseError,
    DatabaseMissing,
    HeadgateError,
    ServerUnreachable,
    error_for,
)
from runner.server import SUPERUSER, Server
from runner.settings import Settings

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 10
DETAIL = re.compile(r"skipping$|^drop cascades to|has already been granted")
LEVELS = {"WARNING": logging.WARNING, "NOTICE": logging.INFO, "INFO": logging.INFO}


def dsn_of(settings: Settings, *, role: str | None = None) -> str:
    """Return the connection string of the user's server, or of the embedded one, which must run.

    `role` counts on the embedded server only: whoever sets HEADGATE_DSN says there who connects.
    """
    if settings.dsn is not None:
        return make_conninfo(settings.dsn, dbname=settings.database)
    running = Server(settings.home).running()
    if running is None:
        raise ServerUnreachable("the embedded PostgreSQL does not run", hint="run: headgate up")
    return running.dsn(settings.database, user=role or SUPERUSER)


def connect(
    settings: Settings, what: str, *, role: str | None = None, autocommit: bool = True
) -> Connection[DictRow]:
    """Open a connection; `what` it is for shows in pg_stat_activity as `headgate <what>`."""
    arguments = _arguments(what, autocommit)
    with mapped_errors(dsn := dsn_of(settings, role=role)):
        connection = Connection.connect(dsn, row_factory=dict_row, **arguments)
    connection.add_notice_handler(log_notice)
    return connection


async def aconnect(
    settings: Settings, what: str, *, role: str | None = None, autocommit: bool = True
) -> AsyncConnection[DictRow]:
    """Open an asynchronous connection; see `connect`."""
    arguments = _arguments(what, autocommit)
    with mapped_errors(dsn := dsn_of(settings, role=role)):
        connection = await AsyncConnection.connect(dsn, row_factory=dict_row, **arguments)
    connection.add_notice_handler(log_notice)
    return connection


@contextmanager
def mapped_errors(dsn: str | None = None) -> Iterator[None]:
    """Raise our exceptions for SQLSTATE class HG and for a lost or refused connection.

    Other errors of psycopg pass as they are, so that a caller can repeat a deadlock.
    """
    try:
        yield
    except psycopg.Error as exc:
        if (exc.sqlstate or "").startswith("HG") or _is_connection_failure(exc):
            raise from_psycopg(exc, dsn) from exc
        raise


def from_psycopg(exc: psycopg.Error, dsn: str | None = None) -> HeadgateError:
    """Return our exception for any error of psycopg; it never repeats the password."""
    if _is_connection_failure(exc):
        return _unreachable(exc, dsn)
    message = exc.diag.message_primary or str(exc).partition("\n")[0]
    error = error_for(exc.sqlstate)
    if error is DatabaseError:
        message = f"PostgreSQL reports: {message} (SQLSTATE {exc.sqlstate})"
    return error(message, hint=exc.diag.message_hint)


def log_notice(notice: Diagnostic) -> None:
    """Log what the server says on the way; what it skipped or dropped along is detail."""
    message = notice.message_primary or ""
    level = (
        logging.DEBUG
        if DETAIL.search(message)
        else LEVELS.get(notice.severity_nonlocalized or "", 10)
    )
    logger.log(level, "%s", message)


def _arguments(what: str, autocommit: bool) -> dict[str, Any]:
    return {
        "application_name": f"headgate {what}",
        "autocommit": autocommit,
        "connect_timeout": CONNECT_SECONDS,
    }


def _is_connection_failure(exc: psycopg.Error) -> bool:
    """Tell a connection that failed or broke: no SQLSTATE, class 08 or 28, or a shutdown (57P)."""
    if not isinstance(exc, psycopg.OperationalError):
        return False
    return exc.sqlstate is None or exc.sqlstate[:2] in ("08", "28") or exc.sqlstate[:3] == "57P"


def _unreachable(exc: psycopg.Error, dsn: str | None) -> ServerUnreachable:
    said = exc.diag.message_primary or _reason(str(exc))
    if dsn is None:
        return ServerUnreachable(
            f"the connection to PostgreSQL is gone: {said}",
            hint="once the server is there, run it again: nothing is done twice",
        )
    message = f"cannot connect to {describe(dsn)}: {said}"
    if "does not exist" in said and "database" in said:
        return DatabaseMissing(message)
    return ServerUnreachable(message, hint=_connect_hint(said))


def _connect_hint(said: str) -> str:
    if "password" in said or "authentication" in said or "role" in said:
        return "check user and password in HEADGATE_DSN"
    return "does the server run at that address? HEADGATE_DSN names it; unset: the embedded one"


def describe(dsn: str) -> str:
    """Name host, port and database of a connection string, and nothing secret."""
    parts = conninfo_to_dict(dsn)
    host = parts.get("host") or parts.get("hostaddr") or "the local socket"
    port = f":{parts['port']}" if parts.get("port") else ""
    return f"database {parts.get('dbname') or ''!r} at {host}{port}"


def _reason(text: str) -> str:
    """Return libpq's reason without the address before it and the advice after it."""
    line = next((x for x in text.splitlines() if "failed: " in x), text.partition("\n")[0])
    return line.rpartition("failed: ")[2].removeprefix("FATAL:").strip() or "no reason given"
