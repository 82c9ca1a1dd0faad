"""Source database for the recommender's plan, with invented investors and companies."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any, Final

from psycopg import Connection, sql
from psycopg.conninfo import make_conninfo

from headgate.database import connect, connect_server, dsn_of, mapped_errors
from headgate.settings import Settings

DATABASE: Final = "headgate_demo_source"
READER: Final = "headgate_demo_reader"
DSN: Final = "NOBLESTRIDE_POSTGRES_DSN"


def fill(connection: Connection[Any]) -> None:
    """Create the tables and rows in an empty schema `public`, all or nothing."""
    with connection.transaction():
        connection.execute((files(__name__) / "source.sql").read_bytes())


@contextmanager
def source_database(settings: Settings) -> Iterator[str]:
    """Create the database afresh with a read-only role; set its connection string in the block."""
    name, source = sql.Identifier(DATABASE), settings.with_database(DATABASE)
    with mapped_errors():
        with connect_server(settings, "demo") as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(name))
            connection.execute(sql.SQL("create database {} template template0").format(name))
        with connect(source, "demo") as connection:
            fill(connection)
            password = let_read(connection, READER)
    os.environ[DSN] = make_conninfo(dsn_of(source), user=READER, password=password)
    try:
        yield DATABASE
    finally:
        del os.environ[DSN]


def let_read(connection: Connection[Any], role: str) -> str:
    """Let a role log in and read the existing tables; return its new password."""
    password, name = secrets.token_hex(16), sql.Identifier(role)
    encrypt = connection.pgconn.encrypt_password
    verifier = encrypt(password.encode(), role.encode(), b"scram-sha-256").decode()
    found = connection.execute("select from pg_catalog.pg_roles where rolname = %s", (role,))
    statement = "create" if found.fetchone() is None else "alter"
    connection.execute(
        sql.SQL(statement + " role {} login password {}").format(name, sql.Literal(verifier))
    )
    connection.execute(sql.SQL("grant select on all tables in schema public to {}").format(name))
    return password
