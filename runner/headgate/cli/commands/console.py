"""Shared parts of all commands: output, formatting of values, and database connections."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

from psycopg import Connection
from psycopg.rows import DictRow

from headgate.cli.commands.elsewhere import elsewhere
from headgate.conninfo import ELSEWHERE
from headgate.database import READER, connect
from headgate.embedded import Server
from headgate.errors import DatabaseMissing, NeverMigrated, ServerUnreachable
from headgate.migrate import require_migrated
from headgate.sessions import BinaryCursor
from headgate.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console

logger = logging.getLogger(__name__)

NAMES = ("asset_id", "pid")
"""Columns with numbers that identify something: printed without separators, for pasting."""


@cache
def out() -> Console:
    """Return the console for results."""
    from rich.console import Console  # a worker that logs to no terminal does without it

    return Console(highlight=False, width=None if sys.stdout.isatty() else 200)


@cache
def err() -> Console:
    """Return the console for messages."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def ready_settings() -> Settings:
    """Return the settings; start the embedded server if it is the one to use."""
    settings = Settings.from_env()
    if settings.dsn is None:
        _say_what_is_not_used()
        if (server := Server(settings.home)).running() is None:
            logger.info("starting the embedded PostgreSQL in %s", settings.home)
            server.start()
    return settings


def _say_what_is_not_used() -> None:
    """Log PG* variables that name a server: without HEADGATE_DSN the embedded one is used."""
    for name, keyword in ELSEWHERE.items():
        if value := os.environ.get(name):
            logger.warning(
                "%s is set, but HEADGATE_DSN is not: using the embedded PostgreSQL "
                "(HEADGATE_DSN='%s=%s' uses the other one)",
                name,
                keyword,
                value,
            )


def open_database(
    settings: Settings,
    what: str,
    *,
    role: str | None = READER,
    require: Callable[[Connection[DictRow], Settings], None] = require_migrated,
) -> Connection[DictRow]:
    """Open a connection to a database that is in the state of db/. Raises NotMigrated.

    `require` replaces this condition.

    The default role is headgate_reader: a plan's views and functions may run with the caller's
    rights, so a command uses no more rights than it needs. If the database is missing or empty,
    the error's hint names other databases of the server that have runs.
    """
    try:
        connection = _connect(settings, what, role)
        try:
            require(connection, settings)
        except BaseException:
            connection.close()
            raise
    except (DatabaseMissing, NeverMigrated) as exc:
        exc.hint = "; ".join(x for x in (exc.hint, *elsewhere(settings)) if x)
        raise
    return connection


def _connect(settings: Settings, what: str, role: str | None) -> Connection[DictRow]:
    try:
        return connect(settings, what, role=role, cursor_factory=BinaryCursor)
    except ServerUnreachable:
        if settings.dsn is not None or role is None:
            raise
        connection = connect(settings, what)  # raises the real cause: no database, or no roles
        with connection:
            require_migrated(connection, settings)
        raise


def say(text: str) -> None:
    """Print a message that is not a result, on stderr."""
    err().print(text, markup=False)


def print_json(value: Any) -> None:
    """Print one JSON document."""
    print(json.dumps(value, indent=4, default=_plain))


def print_table(rows: Iterable[Mapping[str, Any]], *columns: str) -> None:
    """Print rows as a table with these columns, numbers aligned to the right."""
    from rich.table import Table

    found = list(rows)
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    for column in columns:
        is_number = all(isinstance(row[column], int | float | Decimal) for row in found)
        table.add_column(column, justify="right" if is_number and found else "left")
    for row in found:
        table.add_row(*(_cell(column, row[column]) for column in columns))
    out().print(table)


def print_rows(
    rows: Sequence[Mapping[str, Any]],
    columns: str,
    *,
    as_json: bool = False,
    where_set: str = "",
    if_none: str,
) -> None:
    """Print rows as a JSON array or a table, or the message `if_none`.

    Columns named in `where_set` are omitted if no row has a value for them.
    """
    if as_json:
        print_json(rows)
    elif rows:
        empty = {x for x in where_set.split() if not any(row.get(x) for row in rows)}
        print_table(rows, *(x for x in columns.split() if x not in empty))
    else:
        say(if_none)


def print_lines(facts: Mapping[str, Any]) -> None:
    """Print names and values, one per line, indented."""
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        print(f"    {name.replace('_', ' '):{width}}  {_cell(name, value)}")


def as_text(value: Any) -> str:
    """Return a value formatted for people."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case timedelta():
            return str(timedelta(seconds=round(value.total_seconds())))
        case datetime():
            return value.isoformat(sep=" ", timespec="seconds")
        case list():
            return ", ".join(map(as_text, value))
        case dict():
            return ", ".join(f"{k}={as_text(v)}" for k, v in value.items() if v is not None)
        case _:
            return str(value)


def _cell(column: str, value: Any) -> str:
    """Return a value formatted for its column; numbers in NAMES get no thousands separators."""
    return str(value) if column in NAMES and value is not None else as_text(value)


def counted(count: int, noun: str) -> str:
    """Return a count with its noun, for example `1 job` or `2,000 jobs`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def as_clock(value: datetime, now: datetime) -> str:
    """Return a time in the local time zone, with its date unless that is today."""
    here = value.astimezone()
    is_today = here.date() == now.astimezone().date()
    return f"{here:%H:%M:%S}" if is_today else f"{here:%Y-%m-%d %H:%M:%S}"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return str(value)
