"""`headgate up`, `down`, `dsn`, `psql`: the database server and how to reach it."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated

import typer
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from headgate.cli.clients import any_client, client_connection
from headgate.cli.commands import console
from headgate.database import connect, connect_server, dsn_of
from headgate.embedded import Server
from headgate.errors import ServerError
from headgate.migrate import set_password
from headgate.settings import Settings


class Role(StrEnum):
    """A role that can log in."""

    READER = "reader"
    PLANNER = "planner"
    RUNNER = "runner"


def up(
    port: Annotated[
        int | None, typer.Option(min=1024, max=65535, help="Also listen on 127.0.0.1, here.")
    ] = None,
) -> None:
    """Start the embedded PostgreSQL; it keeps running until `headgate down`."""
    settings = Settings.from_env()
    if settings.dsn is not None:
        raise ServerError(
            "HEADGATE_DSN is set: that server is used, not the embedded one",
            hint="unset HEADGATE_DSN to use the embedded one",
        )
    running = Server(settings.home).start(port=port)
    address = f"127.0.0.1:{running.port} and " if running.on_tcp else ""
    console.say(f"PostgreSQL runs at {address}{running.socket_dir}, process {running.pid}")


def down() -> None:
    """Stop the embedded PostgreSQL; its data stays."""
    settings = Settings.from_env()
    if Server(settings.home).stop():
        console.say("PostgreSQL has stopped")
    else:
        console.say("PostgreSQL was not running")


def dsn(
    role: Annotated[Role | None, typer.Option(help="Whose; without it the superuser's.")] = None,
) -> None:
    """Print a connection string and nothing else."""
    print(_dsn(console.ready_settings(), role))


def psql(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ARGUMENT]...", help='Passed on to psql: -c "select 1".', show_default=False
        ),
    ] = None,
) -> None:
    """Open psql on the database, or pass arguments on to it: `headgate psql -c "select 1"`."""
    settings = console.ready_settings()
    connect(settings, "psql").close()  # fails with a hint before psql would
    dsn, environ = client_connection(settings)
    program = str(any_client("psql", settings))
    os.execve(program, ["psql", dsn, *(arguments or [])], environ)


def _dsn(settings: Settings, role: Role | None) -> str:
    if role is None:
        return dsn_of(settings)
    user = f"headgate_{role}"
    if settings.dsn is not None:
        console.say(f"set its password: alter role {user} password '...'")
        parts = conninfo_to_dict(dsn_of(settings)) | {"user": user, "password": None}
        return make_conninfo("", **parts)
    server = Server(settings.home)
    running = server.running()
    if running is None or not running.on_tcp:
        return dsn_of(settings, role=user)
    password = server.password(user)
    with connect_server(settings, "dsn") as connection:
        set_password(connection, user, password)
    return running.dsn(settings.database, user=user, password=password)
