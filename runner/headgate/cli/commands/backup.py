"""`headgate backup` and `headgate restore`: the whole database in one file."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import IO, Annotated

import typer
from psycopg import Connection, sql
from psycopg.rows import DictRow

from headgate.cli.clients import client_connection, fitting_client
from headgate.cli.commands import console
from headgate.cli.commands.migrate import keep_slots
from headgate.conninfo import describe
from headgate.database import connect, connect_server, dsn_of
from headgate.errors import ServerError
from headgate.files import replacing
from headgate.migrate import create_database, database_exists, migrate, role_exists
from headgate.sessions import is_pooled
from headgate.settings import Settings

ROLES = ("headgate_owner", "headgate_planner", "headgate_runner", "headgate_reader")
OWNED = re.compile(r" (headgate_\w+)$", re.MULTILINE)
LEFT_OUT = (
    "--exclude-table-data=headgate_stage.*",
    "--exclude-table-data=headgate.(cached_answers|cache_size|fetches)",
)
"""Rows that a restored database gets again: staged rows, and the answer cache."""
FORGET = "select * from headgate.forget_files()"
OWN_CHANGES = "select * from headgate.own_changes()"
HOLD = "select held from headgate.hold_notices()"

BackupFile = Annotated[Path, typer.Argument(help="The file.", show_default=False)]


def backup(file: BackupFile) -> None:
    """Write the database to a file, as of one moment; runners may go on meanwhile."""
    settings = console.ready_settings()
    with connect(settings, "backup") as connection:  # fails with a hint before pg_dump would
        _require_session(connection)
        program = fitting_client("pg_dump", connection.info.server_version // 10_000)
    taken = ServerError(f"{file} already exists", hint="name another file, or move that one")
    if file.exists():
        raise taken
    dsn, _ = client_connection(settings)
    try:
        with replacing(file, is_new=True) as draft:
            _run(program, settings, "--format=custom", *LEFT_OUT, f"--dbname={dsn}", into=draft)
    except FileExistsError as exc:
        raise taken from exc
    except OSError as exc:
        raise ServerError(
            f"{file} cannot be written: {exc.strerror}", hint="name another file"
        ) from exc
    console.say(f"{describe(dsn_of(settings))} is in {file} ({file.stat().st_size:,} bytes)")


def restore(file: BackupFile) -> None:
    """Restore a backup into a new database, with its roles, and migrate it to the state of db/."""
    if not os.access(file, os.R_OK):
        raise ServerError(
            f"{file} {'cannot be read' if file.exists() else 'does not exist'}",
            hint="name a file that headgate backup has written",
        )
    settings = console.ready_settings()
    with connect_server(settings, "restore") as connection:
        _require_session(connection)
        program = fitting_client("pg_restore", connection.info.server_version // 10_000)
    owners = set(OWNED.findall(_run(program, settings, "--list", str(file))))
    if database_exists(settings):
        raise ServerError(
            f"database {settings.database} is there already: nothing was restored",
            hint="set HEADGATE_DATABASE to another database, or drop this one first",
        )
    create_database(settings)
    try:
        _make_roles(settings, owners)
        dsn, _ = client_connection(settings)
        _run(program, settings, "--single-transaction", f"--dbname={dsn}", str(file))
    except BaseException:
        _drop(settings)
        raise
    with connect(settings, "restore") as connection:
        connection.execute(FORGET)
    migrate(settings)
    with connect(settings, "restore") as connection:
        connection.execute(OWN_CHANGES)
        held = connection.execute(HOLD).fetchone()
        connection.execute("analyze")
    slots = keep_slots(settings)
    console.say(f"{describe(dsn_of(settings))} is restored from {file}")
    for slot, done in slots:
        console.say(
            f"slot {slot} is {done}: what changed between the backup's last export and now "
            "is in its table only"
        )
    console.say(
        "calls made after the backup are missing from its ledger: headgate.reconcile_quota, "
        "or close the provider until its reset"
    )
    if held is not None and held["held"] > 0:
        console.say(
            f"{held['held']:,} notices that waited may have been sent since and are not sent: "
            "headgate.v_notices shows them, headgate.reset_asset has one sent"
        )


def _require_session(connection: Connection[DictRow]) -> None:
    """Raise ServerError behind a pooler: PostgreSQL's programs rely on their session's state."""
    if is_pooled(connection):
        raise ServerError(
            "a pooler stands before the server: its programs need a session of their own",
            hint="set HEADGATE_DSN to the server itself for this command",
        )


def _make_roles(settings: Settings, owners: set[str]) -> None:
    """Create the roles that are missing on this server; `migrate` grants their rights."""
    with connect(settings, "restore") as connection:
        for role in sorted(owners | set(ROLES)):
            if not role_exists(connection, role):
                statement = sql.SQL("create role {}").format(sql.Identifier(role))
                connection.execute(statement)


def _drop(settings: Settings) -> None:
    """Drop the half-restored database, which this command has just created."""
    statement = sql.SQL("drop database if exists {} with (force)")
    with connect_server(settings, "restore") as connection:
        connection.execute(statement.format(sql.Identifier(settings.database)))


def _run(program: Path, settings: Settings, *arguments: str, into: IO[bytes] | None = None) -> str:
    """Run one of PostgreSQL's programs and return its output, or write it `into` a file.

    Raises ServerError with the program's message.
    """
    _, environ = client_connection(settings)
    done = subprocess.run(
        [str(program), *arguments],
        env=environ | {"PGCLIENTENCODING": "UTF8", "LC_ALL": "C"},  # output is parsed: in English
        stdin=subprocess.DEVNULL,
        stdout=into or subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    if done.returncode != 0:
        lines = [x for x in done.stderr.splitlines() if "error:" in x] or [done.stderr.strip()]
        said = lines[0].partition("error: ")[2] or lines[0]
        raise ServerError(
            f"{program.name} ended with {done.returncode}: {said}",
            hint="headgate doctor says whether the database is in order; nothing was kept",
        )
    return done.stdout or ""
