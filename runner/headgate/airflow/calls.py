"""Calls of stored functions from Airflow, through one of Airflow's connections.

A failure becomes an exception of Airflow; one that no retry can fix fails the task at once. Its
message, the last line of the task's log, says what is wrong and what to do.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, LiteralString

import psycopg
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from psycopg import AsyncConnection, Connection, pq, sql
from psycopg.types.json import Jsonb

from headgate.errors import ServerUnsuitable
from headgate.sessions import aopen_session, is_pooled, open_session

if TYPE_CHECKING:
    from airflow.sdk import Connection as AirflowConnection

Row = dict[str, Any]

RIGHTS: Final = "log in as headgate_planner, or as a member of it"
ADVICE: Final = {
    "42501": RIGHTS,
    "42883": "see that the arguments are the function's, and the database migrated: "
    "headgate migrate",
    "3F000": "migrate the database that the connection names: headgate migrate",
    "57014": "raise the task's execution_timeout, or see what it waited for",
}
FINAL: Final = ("HG", "22", "28", "3D", "3F", "42")
"""SQLSTATE classes no retry can fix: Headgate's own, values, login, database, rights and names."""
REFUSALS: Final = ("authentication failed", "does not exist", "no password supplied", "pg_hba.conf")
UNTRUSTED: Final = ("certificate", "does not support SSL")
PASSED: Final = """
select from headgate.v_execution_steps as s
where s.pipeline = %(p_pipeline)s and s.run_id = %(p_run_id)s and s.step = %(p_step)s
    and (s.status = 'succeeded' or s.skip_reason = 'operator')
"""
STATUSES: Final = """
select s.step, s.status from headgate.v_execution_steps as s
where s.pipeline = %(p_pipeline)s and s.run_id = %(p_run_id)s
"""
OPEN: Final = ("pending", "running")
"""Statuses of a step that has not ended."""
LIBPQ: Final = frozenset(x.keyword.decode() for x in pq.Conninfo.get_defaults())
"""Connection parameters of libpq; a connection's other extras are ignored."""
OURS: Final = frozenset({"deployment", "pauses_pipelines"})
"""Extras of Headgate's own; see `Scheduler`."""
LOG: Final = logging.getLogger("headgate.airflow")
POLL: Final = 15.0
POOLED_POLL: Final = 3.0
"""Polling interval of a trigger in s: POLL with notifications, POOLED_POLL behind a pooler."""
GONE_CLIENT: Final = "2s"
"""Interval at which the server checks that the client of a running query is still connected."""


def connect(conn_id: str) -> Connection[Row]:
    """Open one of Airflow's connections; raises AirflowException or AirflowFailException."""
    try:
        return open_session("", autocommit=False, **_parameters(_named(conn_id)))
    except psycopg.Error as exc:
        raise failure(exc) from None
    except ServerUnsuitable as exc:
        raise AirflowFailException(f"{exc}: {exc.hint}") from None


async def aconnect(conn_id: str) -> AsyncConnection[Row]:
    """Open one of Airflow's connections in a trigger; connection errors of psycopg pass through."""
    try:
        connection = await BaseHook.aget_connection(conn_id)
    except Exception:
        raise _unknown(conn_id) from None
    try:
        return await aopen_session("", **_parameters(connection))
    except ServerUnsuitable as exc:
        raise AirflowFailException(f"{exc}: {exc.hint}") from None


def listen(connection: Connection[Row], channel: LiteralString) -> None:
    """Listen on a channel, unless the connection goes through a pooler: it forwards nothing."""
    if not is_pooled(connection):
        connection.execute(sql.SQL("listen {}").format(sql.Identifier(channel)))


async def alisten(connection: AsyncConnection[Row], channel: LiteralString) -> None:
    """Listen on a channel in a trigger, unless the connection goes through a pooler."""
    if not is_pooled(connection):
        await connection.execute(sql.SQL("listen {}").format(sql.Identifier(channel)))


async def wait_for_news(
    connection: AsyncConnection[Row], is_news: Callable[[str], bool] = lambda said: True
) -> None:
    """Wait for a relevant notification or for the polling interval.

    Any role may send a notification with any payload. It only wakes the waiter; the caller reads
    the state from the tables.
    """
    if is_pooled(connection):
        await asyncio.sleep(POOLED_POLL)
        return
    async for notify in connection.notifies(timeout=POLL):
        if is_news(notify.payload):
            return


class ServerAway(AirflowException):
    """The server does not answer, or is shutting down."""


@dataclass(frozen=True)
class Scheduler:
    """This Airflow deployment: its name among several, and whether its DAGs pause pipelines."""

    deployment: str | None = None
    pauses_pipelines: bool = True

    def named(self) -> Row:
        """Return the deployment's name as an argument of a stored function."""
        return {"p_deployment": self.deployment}

    def run_here(self, run_id: str) -> str:
        """Return the run id in Postgres: prefixed, as two deployments may use the same run id."""
        return f"{self.deployment}/{run_id}" if self.deployment else run_id

    def run_there(self, run_id: str) -> str:
        """Return Airflow's run id for a run id in Postgres."""
        return run_id.removeprefix(f"{self.deployment}/") if self.deployment else run_id


def scheduler_of(conn_id: str) -> Scheduler:
    """Return the deployment described by a connection's extras."""
    return _scheduler(_named(conn_id))


async def ascheduler_of(conn_id: str) -> Scheduler:
    """Return the deployment described by a connection's extras, in a trigger."""
    try:
        return _scheduler(await BaseHook.aget_connection(conn_id))
    except Exception:
        raise _unknown(conn_id) from None


def _scheduler(connection: AirflowConnection) -> Scheduler:
    extra = connection.extra_dejson
    name = extra.get("deployment")
    return Scheduler(
        deployment=str(name) if name else None,
        pauses_pipelines=extra.get("pauses_pipelines") is not False,
    )


def select(
    connection: Connection[Row], function: str, arguments: Row, limit_ms: int = 0
) -> list[Row]:
    """Call a function; return its rows as decoded JSON. A `limit_ms` of 0 means no limit."""
    for name, value in (
        ("statement_timeout", str(limit_ms)),
        ("client_connection_check_interval", GONE_CLIENT),
    ):
        connection.execute("select set_config(%s, %s, true)", (name, value))
    return [x["row"] for x in connection.execute(*_statement(function, arguments)).fetchall()]


async def aselect(connection: AsyncConnection[Row], function: str, arguments: Row) -> list[Row]:
    """Call a function asynchronously; return its rows as decoded JSON."""
    cursor = await connection.execute(*_statement(function, arguments))
    return [x["row"] for x in await cursor.fetchall()]


def is_passed(connection: Connection[Row], arguments: Row) -> bool:
    """Return whether a step has passed: succeeded, or skipped by an operator."""
    return connection.execute(PASSED, arguments).fetchone() is not None


async def ais_passed(connection: AsyncConnection[Row], arguments: Row) -> bool:
    """Return whether a step has passed: succeeded, or skipped by an operator."""
    cursor = await connection.execute(PASSED, arguments)
    return await cursor.fetchone() is not None


def statuses_of(connection: Connection[Row], arguments: Row) -> dict[str, str]:
    """Return the status of each step of a run."""
    cursor = connection.execute(STATUSES, arguments)
    return {x["step"]: x["status"] for x in cursor.fetchall()}


def wait_for_end(connection: Connection[Row], step: Row, seconds: float) -> bool:
    """Wait until a step has ended, for at most `seconds`; return whether it has."""
    until = time.monotonic() + seconds
    pause = POOLED_POLL if is_pooled(connection) else POLL
    while statuses_of(connection, step).get(step["p_step"]) in OPEN:
        connection.commit()  # notifications arrive between transactions
        left = until - time.monotonic()
        if left <= 0:
            return False
        for _ in connection.notifies(timeout=min(left, pause), stop_after=1):
            pass
    return True


async def aexecution_id(connection: AsyncConnection[Row], arguments: Row) -> str:
    """Return the execution's id, which is the payload of its notifications."""
    named = {name: arguments[name] for name in ("p_pipeline", "p_run_id")}
    (row,) = await aselect(connection, "headgate.execution_id", named)
    return str(row["execution_id"])


def cancel(connection: Connection[Row] | None) -> None:
    """Cancel the connection's current query, if any."""
    if connection is not None:
        with suppress(psycopg.Error):
            connection.cancel_safe(timeout=3)


def failure(exc: psycopg.Error) -> AirflowException:
    """Return the exception for a failed task: AirflowFailException if a retry cannot help.

    Otherwise an AirflowException, so that the task's retries apply.
    """
    text = first_line(exc)
    state = exc.sqlstate or ""
    if not state and any(x in text for x in UNTRUSTED):
        return AirflowFailException(f"{text}: correct the connection's sslmode and sslrootcert")
    if not state and any(x in text for x in REFUSALS):
        return AirflowFailException(f"{text}: correct the connection's login or database")
    if not state or (state[:2] in ("08", "57") and state not in ADVICE):
        return ServerAway(f"{text}: does the server run? What has retries left tries again")
    message = f"{exc.diag.message_primary or text} ({state})"
    if hint := ADVICE.get(state) or exc.diag.message_hint:
        message += f": {hint}"
    kind = AirflowFailException if state[:2] in FINAL else AirflowException
    return kind(message)


def is_final(exc: BaseException) -> bool:
    """Return whether a retry cannot help."""
    return isinstance(exc, AirflowFailException)


def error_report(exc: psycopg.Error) -> Row:
    """Return an error as a step's output: message, SQLSTATE, hint and detail.

    A plan's function can put its own report into the detail.
    """
    said = {"hint": exc.diag.message_hint, "detail": exc.diag.message_detail}
    kept = {name: text for name, text in said.items() if text}
    return {"error": first_line(exc), "code": exc.sqlstate, **kept}


def first_line(exc: Exception) -> str:
    """Return the first line of an error's text; for psycopg this is the message."""
    return str(exc).strip().partition("\n")[0] or type(exc).__name__


def _named(conn_id: str) -> AirflowConnection:
    try:
        return BaseHook.get_connection(conn_id)
    except Exception:
        raise _unknown(conn_id) from None


def _unknown(conn_id: str) -> AirflowFailException:
    return AirflowFailException(
        f"there is no connection {conn_id!r}: set AIRFLOW_CONN_{conn_id.upper()}, or add it under "
        "Admin, Connections"
    )


def _parameters(connection: AirflowConnection) -> dict[str, Any]:
    """Return an Airflow connection's parameters for libpq."""
    given = connection.extra_dejson
    extra = {k: v for k, v in given.items() if k in LIBPQ and isinstance(v, str | int)}
    if strange := sorted(given.keys() - extra.keys() - OURS):
        LOG.info("passed over, being no options of libpq: %s", ", ".join(strange))
    named = {
        "host": connection.host,
        "port": connection.port,
        "dbname": connection.schema,
        "user": connection.login,
        "password": connection.password,
    }
    return {
        "application_name": "headgate airflow",
        "connect_timeout": 10,
        **extra,
        **{name: value for name, value in named.items() if value},
    }


def _statement(function: str, arguments: Row) -> tuple[sql.Composed, Row]:
    names = [sql.SQL("{} => {}").format(sql.Identifier(k), sql.Placeholder(k)) for k in arguments]
    query = sql.SQL("select to_jsonb(t) as row from (select * from {}({})) as t").format(
        sql.Identifier(*function.split(".", 1)), sql.SQL(", ").join(names)
    )
    values = {k: Jsonb(v) if isinstance(v, dict | list) else v for k, v in arguments.items()}
    return query, values
