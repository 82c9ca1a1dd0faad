"""What must be there before a file of db/ can be applied: the database, pgmq, a plan's role."""

from __future__ import annotations

import logging
from typing import Any, LiteralString

import psycopg
from psycopg import Connection, sql

from runner.database import connect
from runner.errors import ServerTooOld, ServerUnreachable
from runner.migrate_files import OWNER, role_of
from runner.settings import Settings

logger = logging.getLogger(__name__)

OLDEST = 15

ROLE: LiteralString = """
do $role$
begin
    create role {role} nologin;
exception
    when duplicate_object or unique_violation then null;
end;
$role$
"""


def database_exists(settings: Settings) -> bool:
    """Tell whether the server has the database; raise when the server does not answer."""
    try:
        connect(settings, "migrate").close()
    except ServerUnreachable as first:
        query = "select 1 from pg_catalog.pg_database where datname = %s"
        try:
            with connect(settings.with_database("postgres"), "migrate") as connection:
                found = connection.execute(query, (settings.database,)).fetchone()
        except ServerUnreachable:
            raise first from None
        if found is not None:
            raise
        return False
    return True


def create_database(settings: Settings) -> None:
    """Create the database: UTF-8, and sorted alike on every machine."""
    with connect(settings.with_database("postgres"), "migrate") as connection:
        require_version(connection)
        locale: LiteralString = "lc_collate 'C' lc_ctype 'C'"
        if connection.info.server_version >= 170000:
            locale = "locale_provider builtin builtin_locale 'C.UTF-8' lc_collate 'C' lc_ctype 'C'"
        statement = sql.SQL("create database {} template template0 encoding 'UTF8' " + locale)
        try:
            connection.execute(statement.format(sql.Identifier(settings.database)))
        except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            return  # another migrate was faster
    logger.info("created database %s", settings.database)


def require_version(connection: Connection[Any]) -> None:
    """Raise unless the server is PostgreSQL 15 or newer."""
    version = connection.info.server_version // 10000
    if version < OLDEST:
        raise ServerTooOld(f"the server is PostgreSQL {version}; Headgate needs {OLDEST} or newer")


def has_pgmq(connection: Connection[Any]) -> bool:
    """Tell whether pgmq is installed, however it was."""
    found = "select 1 from pg_catalog.pg_namespace where nspname = 'pgmq'"
    return connection.execute(found).fetchone() is not None


def install_pgmq(connection: Connection[Any]) -> None:
    """Install pgmq where its schema is missing: the server's extension, else the package's SQL."""
    if has_pgmq(connection):
        return
    offered = "select 1 from pg_catalog.pg_available_extensions where name = 'pgmq'"
    if connection.execute(offered).fetchone() is not None:
        connection.execute("create extension pgmq")
        logger.info("installed the extension pgmq")
        return
    # Only here: it brings a client library that no worker needs in its memory.
    from pgmq.install import get_embedded_install_sql, get_embedded_sql_version

    connection.execute(get_embedded_install_sql().encode())
    logger.info("installed pgmq %s from the package's SQL", get_embedded_sql_version())


def grant_pgmq(connection: Connection[Any]) -> None:
    """Let the owner of the plan make and use queues."""
    for statement in (
        "grant all on schema pgmq to {}",
        "grant all on all tables in schema pgmq to {}",
        "grant all on all sequences in schema pgmq to {}",
    ):
        connection.execute(sql.SQL(statement).format(sql.Identifier(OWNER)))


def prepare_owner(connection: Connection[Any]) -> None:
    """Make the owner of the plan and let the connecting user, if no superuser, act for it."""
    names = {"role": sql.Identifier(OWNER)}
    if not role_exists(connection, OWNER):
        connection.execute(sql.SQL(ROLE).format(**names))
    query = "select pg_catalog.pg_has_role(%s, 'usage') as may_act"
    row = connection.execute(query, (OWNER,)).fetchone()
    if not (row and row["may_act"]):
        connection.execute(sql.SQL("grant {role} to current_user").format(**names))


def prepare_plan(connection: Connection[Any], plan: str) -> None:
    """Give a plan its role and, owned by it, its schema; the owner of the core may act for it."""
    names = {
        "role": sql.Identifier(role_of(plan)),
        "schema": sql.Identifier(plan),
        "owner": sql.Identifier(OWNER),
    }
    if not role_exists(connection, role_of(plan)):
        connection.execute(sql.SQL(ROLE).format(**names))
    for statement in (
        "grant {role} to {owner}",
        "grant {role} to current_user",
        "create schema if not exists {schema} authorization {role}",
        "grant usage on schema headgate to {role}",
    ):
        connection.execute(sql.SQL(statement).format(**names))


def role_exists(connection: Connection[Any], role: str) -> bool:
    """Tell whether the server has the role."""
    query = "select 1 from pg_catalog.pg_roles where rolname = %s"
    return connection.execute(query, (role,)).fetchone() is not None
