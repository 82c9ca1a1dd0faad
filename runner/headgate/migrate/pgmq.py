"""Installation of pgmq: the server's extension if new enough, else the Python package's SQL."""

from __future__ import annotations

import logging
from typing import Any, Final, LiteralString

import psycopg
from psycopg import Connection, sql

from headgate.errors import MigrateError
from headgate.migrate.files import OWNER

logger = logging.getLogger(__name__)

LEAST: Final = (1, 10)
"""Before 1.6 only the extension's owner can use new queues; before 1.10 NEWEST is missing."""
NEWEST: Final = ("set_vt", "text, bigint, timestamp with time zone")
"""The most recently added of the functions that Headgate calls."""

INSTALLED: LiteralString = """
select
    (select e.extversion from pg_catalog.pg_extension as e where e.extname = 'pgmq') as extension,
    exists (
        select
        from pg_catalog.pg_proc as p
        where p.pronamespace = n.oid
            and (p.proname, pg_catalog.oidvectortypes(p.proargtypes)) = (%s, %s)
    ) as is_new_enough
from pg_catalog.pg_namespace as n
where n.nspname = 'pgmq'
"""
OFFERED: LiteralString = """
select v.version
from pg_catalog.pg_available_extension_versions as v
where v.name = 'pgmq'
"""
MAY_USE: LiteralString = """
select pg_catalog.has_schema_privilege(%(owner)s, 'pgmq', 'create')
    and not exists (
        select
        from pg_catalog.pg_class as c
        where c.relnamespace = to_regnamespace('pgmq')
            and c.relkind in ('r', 'p')
            and not pg_catalog.has_table_privilege(%(owner)s, c.oid, 'delete')
    ) as may_use
"""


def has_pgmq(connection: Connection[Any]) -> bool:
    """Return whether pgmq is installed, as an extension or from SQL, in any version."""
    return connection.execute(INSTALLED, NEWEST).fetchone() is not None


def require_new_pgmq(connection: Connection[Any]) -> None:
    """Raise MigrateError if the installed pgmq is too old."""
    row = connection.execute(INSTALLED, NEWEST).fetchone()
    if row is None or row["is_new_enough"]:
        return
    least = ".".join(map(str, LEAST))
    newer = max(_offered(connection), default=None)
    extension = row["extension"]
    what = f"the extension pgmq {extension}" if extension else f"a pgmq before {least}"
    if extension and newer is not None and newer >= LEAST:
        hint = f"alter extension pgmq update to '{'.'.join(map(str, newer))}'"
    else:
        gone = "extension" if extension else "schema"
        hint = (
            "migrate another database (HEADGATE_DATABASE), or, if nobody needs its queues, "
            f"drop {gone} pgmq cascade: migrate then installs the SQL of the Python package pgmq"
        )
    raise MigrateError(f"the database has {what}; Headgate needs {least} or newer", hint=hint)


def install_pgmq(connection: Connection[Any]) -> None:
    """Install pgmq if it is missing."""
    if has_pgmq(connection) or _create_extension(connection):
        return
    # Imported late: it loads a client library that workers need not hold in memory.
    from pgmq.install import get_embedded_install_sql, get_embedded_sql_version

    connection.execute(get_embedded_install_sql().encode())
    logger.info("installed pgmq %s from the package's SQL", get_embedded_sql_version())


def grant_pgmq(connection: Connection[Any]) -> None:
    """Let headgate_owner create and use queues, unless it already may."""
    row = connection.execute(MAY_USE, {"owner": OWNER}).fetchone()
    if row and row["may_use"]:
        return
    for statement in (
        "grant all on schema pgmq to {}",
        "grant all on all tables in schema pgmq to {}",
        "grant all on all sequences in schema pgmq to {}",
    ):
        connection.execute(sql.SQL(statement).format(sql.Identifier(OWNER)))


def _create_extension(connection: Connection[Any]) -> bool:
    """Install the server's extension; return False if it is missing, too old or not permitted."""
    newest = max(_offered(connection), default=None)
    if newest is None:
        return False
    version = ".".join(map(str, newest))
    if newest < LEAST:
        logger.info("the server's extension pgmq %s is too old: not used", version)
        return False
    statement = sql.SQL("create extension pgmq version {}").format(sql.Literal(version))
    try:
        with connection.transaction():
            connection.execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        logger.info("only a superuser may install the server's extension pgmq: not used")
        return False
    logger.info("installed the extension pgmq %s", version)
    return True


def _offered(connection: Connection[Any]) -> list[tuple[int, ...]]:
    """Return the versions of the extension that the server offers, as tuples of numbers."""
    versions = [row["version"].split(".") for row in connection.execute(OFFERED)]
    return [tuple(map(int, x)) for x in versions if all(y.isdecimal() for y in x)]
