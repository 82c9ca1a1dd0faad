"""Database connections with an application name, and errors that say what to do."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection, Connection, Cursor
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.errors import Diagnostic
from psycopg.rows import DictRow

from headgate.conninfo import describe
from headgate.embedded import SUPERUSER, Server
from headgate.errors import (
    DatabaseError,
    DatabaseMissing,
    HeadgateError,
    ServerUnreachable,
    error_for,
)
from headgate.secret_files import secret_of
from headgate.sessions import aopen_session, is_pooled, open_session
from headgate.settings import Settings
from headgate.shown import learn

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 10
PASSWORD = "HEADGATE_PASSWORD"
"""The secret with the password of HEADGATE_DSN, if the string has none."""
HINTS = {
    "25006": "a standby, a full disk, or default_transaction_read_only: nothing was written",
    "42501": "this login lacks the right: headgate_reader looks, headgate_planner plans and "
    "operates, headgate_runner works, and who migrates may do the rest",
}
PLANNER, RUNNER, READER = "headgate_planner", "headgate_runner", "headgate_reader"
TAKE_ON = """
select pg_catalog.set_config('role', r.rolname, false)
from pg_catalog.pg_roles as r
join pg_catalog.pg_roles as o on o.rolname = 'headgate_owner'
where r.rolname = %s
    and pg_catalog.pg_has_role(session_user, o.oid, 'member')
    and pg_catalog.pg_has_role(session_user, r.oid, 'usage')
"""
"""Sets the role if the login is a member of headgate_owner and of the role; others keep theirs."""
SERVERS_OWN = "postgres"
"""The database to connect to for creating other databases."""
RAISED = "exec_stmt_raise"
"""Server function that reports a notice raised by PL/pgSQL code; the same in all languages."""
SEVERITY = re.compile(r"^[^\s:]+:  ")
ANSWER = re.compile(r"failed: [^\s:]+:  ")
"""An error from the server itself begins with its severity, a colon and two spaces."""
UNTRUSTED = ("certificate", "SSL")
"""Texts within libpq's errors about TLS."""
LEVELS = {"WARNING": logging.WARNING, "NOTICE": logging.INFO, "INFO": logging.INFO}


def dsn_of(settings: Settings, *, role: str | None = None, listens: bool = False) -> str:
    """Return the connection string of the user's server, or of the running embedded one.

    `role` applies to the embedded server only: HEADGATE_DSN itself names the user. With `listens`,
    HEADGATE_LISTEN_DSN is used if set: a pooler passes no notifications on.
    Raises ServerUnreachable if the embedded server does not run.
    """
    if settings.dsn is not None:
        dsn = (settings.listen_dsn if listens else None) or settings.dsn
        return make_conninfo(dsn, dbname=settings.database, **_password(dsn))
    running = Server(settings.home).running()
    if running is None:
        raise ServerUnreachable("the embedded PostgreSQL does not run", hint="run: headgate up")
    return running.dsn(settings.database, user=role or SUPERUSER)


def _password(dsn: str) -> dict[str, str]:
    """Return the password of now, which may be changed while runners work, for a DSN without."""
    password = "" if conninfo_to_dict(dsn).get("password") else secret_of(PASSWORD)
    if not password:
        return {}
    learn(password)
    return {"password": password}


def connect(
    settings: Settings,
    what: str,
    *,
    role: str | None = None,
    autocommit: bool = True,
    any_encoding: bool = False,
    cursor_factory: type[Cursor[DictRow]] = Cursor,
) -> Connection[DictRow]:
    """Open a connection; pg_stat_activity shows its purpose as `headgate <what>`.

    On the embedded server the connection logs in as `role`. On the user's server it sets the role
    after the login if the login has the owner's rights.
    """
    arguments = _arguments(settings, what) | {"cursor_factory": cursor_factory}
    with mapped_errors(dsn := dsn_of(settings, role=role)):
        connection = open_session(
            dsn, autocommit=autocommit, any_encoding=any_encoding, **arguments
        )
    connection.add_notice_handler(log_notice)
    if role is not None and settings.dsn is not None and not is_pooled(connection):
        connection.execute(TAKE_ON, (role,))
        if not autocommit:
            connection.commit()
    return connection


def connect_server(settings: Settings, what: str) -> Connection[DictRow]:
    """Connect to the `postgres` database, in any encoding, to create databases and roles."""
    return connect(settings.with_database(SERVERS_OWN), what, any_encoding=True)


async def aconnect(
    settings: Settings, what: str, *, role: str | None = None, listens: bool = False
) -> AsyncConnection[DictRow]:
    """Open an asynchronous connection; see `connect`."""
    with mapped_errors(dsn := dsn_of(settings, role=role, listens=listens)):
        connection = await aopen_session(dsn, **_arguments(settings, what))
    connection.add_notice_handler(log_notice)
    return connection


@contextmanager
def mapped_errors(dsn: str | None = None) -> Iterator[None]:
    """Convert errors of SQLSTATE class HG and lost or refused connections to HeadgateError.

    Other psycopg errors pass unchanged, so that a caller can retry after a deadlock.
    """
    try:
        yield
    except psycopg.Error as exc:
        if (exc.sqlstate or "").startswith("HG") or _is_connection_failure(exc):
            raise from_psycopg(exc, dsn) from exc
        raise


def from_psycopg(exc: psycopg.Error, dsn: str | None = None) -> HeadgateError:
    """Return the HeadgateError for any psycopg error; its message never contains the password."""
    if _is_connection_failure(exc):
        return _unreachable(exc, dsn)
    message = exc.diag.message_primary or str(exc).partition("\n")[0]
    error = error_for(exc.sqlstate)
    if error is DatabaseError:
        message = f"PostgreSQL reports: {message} (SQLSTATE {exc.sqlstate})"
    return error(message, hint=exc.diag.message_hint or HINTS.get(exc.sqlstate or ""))


def log_notice(notice: Diagnostic) -> None:
    """Log a notice; the server's own (such as "already exists, skipping") only at debug level."""
    severity = notice.severity_nonlocalized or ""
    is_detail = severity == "NOTICE" and notice.source_function != RAISED
    level = logging.DEBUG if is_detail else LEVELS.get(severity, logging.DEBUG)
    logger.log(level, "%s", notice.message_primary or "")


def _arguments(settings: Settings, what: str) -> dict[str, Any]:
    arguments = {"application_name": f"headgate {what}", "connect_timeout": CONNECT_SECONDS}
    # An empty hostaddr keeps PGHOSTADDR from redirecting the embedded server's address.
    return arguments if settings.dsn is not None else arguments | {"hostaddr": ""}


def _is_connection_failure(exc: psycopg.Error) -> bool:
    """Return whether a connection failed or broke: no SQLSTATE, 08, 28, or a shutdown (57P)."""
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
    is_answer = ANSWER.search(str(exc)) is not None
    return ServerUnreachable(message, hint=_connect_hint(said, is_answer=is_answer))


def _connect_hint(said: str, *, is_answer: bool) -> str:
    """Return advice for a failed connection; the server's message may be in any language."""
    if any(x in said for x in UNTRUSTED):
        return "check sslmode, sslrootcert and host in HEADGATE_DSN, and the server's certificate"
    if "password" in said or "authentication" in said or "role" in said:
        return "check user and password in HEADGATE_DSN, or the secret HEADGATE_PASSWORD"
    if is_answer:
        return "check database (headgate migrate creates it), user and password in HEADGATE_DSN"
    return "does the server run at that address? HEADGATE_DSN names it; unset: the embedded one"


def _reason(text: str) -> str:
    """Return libpq's reason without the preceding address and the following advice."""
    line = next((x for x in text.splitlines() if "failed: " in x), text.partition("\n")[0])
    said = line.rpartition("failed: ")[2]
    return SEVERITY.sub("", said).strip() or "no reason given"
