"""Prerequisites for the files of db/: the database, roles, and the plans' schemas."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any, LiteralString

import psycopg
from psycopg import Connection, sql
from psycopg.abc import Query

from headgate.database import connect, connect_server
from headgate.errors import MigrateError, ServerTooOld, ServerUnreachable
from headgate.migrate.files import OWNER, role_of
from headgate.settings import Settings

logger = logging.getLogger(__name__)

OLDEST = 15
TRIES = 10
AT_ONCE = (
    psycopg.errors.DuplicateObject,
    psycopg.errors.UniqueViolation,
    psycopg.errors.InternalError_,
)
"""Errors of a statement that changes a role at the same time as another database's migration."""

ROLE: LiteralString = """
do $role$
begin
    if not exists (select from pg_catalog.pg_roles as r where r.rolname = {name}) then
        create role {role} nologin;
    end if;
end;
$role$
"""

ADMINS: LiteralString = """
select distinct m.member::regrole::text as admin
from pg_catalog.pg_auth_members as m
join pg_catalog.pg_roles as r on r.oid = m.roleid
where r.rolname = any (%s)
    and m.admin_option
order by 1
"""


OPEN_TO_ALL: LiteralString = """
select 1
from pg_catalog.pg_database as d
cross join lateral pg_catalog.aclexplode(
    coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba))
) as a
where d.datname in ('postgres', 'template1')
    and a.grantee = 0
"""
CLOSE: LiteralString = "revoke all on database postgres, template1 from public"


def database_exists(settings: Settings) -> bool:
    """Return whether the server has the database. Raises ServerUnreachable.

    The `postgres` database is asked first: a pooler delays a login to a missing database.
    """
    query = "select 1 from pg_catalog.pg_database where datname = %s"
    try:
        with connect_server(settings, "migrate") as connection:
            return connection.execute(query, (settings.database,)).fetchone() is not None
    except ServerUnreachable:  # the login may lack access to `postgres`
        connect(settings, "migrate", any_encoding=True).close()
        return True


def create_database(settings: Settings) -> None:
    """Create the database with UTF-8 and a sort order that is the same on every machine."""
    with connect_server(settings, "migrate") as connection:
        require_version(connection)
        locale: LiteralString = "lc_collate 'C' lc_ctype 'C'"
        if connection.info.server_version >= 170000:
            locale = "locale_provider builtin builtin_locale 'C.UTF-8' lc_collate 'C' lc_ctype 'C'"
        statement = sql.SQL("create database {} template template0 encoding 'UTF8' " + locale)
        try:
            connection.execute(statement.format(sql.Identifier(settings.database)))
        except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            return  # created by another migrate
    logger.info("created database %s", settings.database)


def close_servers_own(settings: Settings) -> None:
    """Close the embedded server's postgres and template1 databases to all but superusers."""
    if settings.dsn is not None:
        return
    with connect_server(settings, "migrate") as connection:
        if connection.execute(OPEN_TO_ALL).fetchone() is not None:
            execute_about_roles(connection, CLOSE)


def require_version(connection: Connection[Any]) -> None:
    """Raise ServerTooOld unless the server is PostgreSQL 15 or newer."""
    version = connection.info.server_version // 10000
    if version < OLDEST:
        raise ServerTooOld(f"the server is PostgreSQL {version}; Headgate needs {OLDEST} or newer")


def prepare_roles(connection: Connection[Any], plans: Iterable[str]) -> None:
    """Create the owner roles of the core and of each plan, and grant them to the connecting user.

    Roles belong to the server: each statement commits at once, so that migrations of other
    databases do not wait.
    """
    roles = [OWNER, *map(role_of, plans)]
    for role in roles:
        if not role_exists(connection, role):
            execute_about_roles(
                connection, sql.SQL(ROLE).format(role=sql.Identifier(role), name=sql.Literal(role))
            )
    for role in roles[1:]:
        if not _is_member(connection, role, OWNER):
            _grant(connection, role, OWNER)
    require_membership(connection, roles)


def require_membership(
    connection: Connection[Any], roles: Iterable[str], *, may_grant: bool = True
) -> None:
    """Grant these roles to the connecting user; raise MigrateError if only others may do so."""
    lacking = [
        x
        for x in roles
        if role_exists(connection, x)
        and not _is_member(connection, x)
        and not (may_grant and _grant(connection, x))
    ]
    if not lacking:
        return
    user = connection.info.user
    rows = connection.execute(ADMINS, (lacking,)).fetchall()
    admins = " or ".join((*(row["admin"] for row in rows), "a superuser"))
    raise MigrateError(
        f"{user} may not act for {', '.join(lacking)}",
        hint=f"{admins} says: grant {', '.join(lacking)} to {user}",
    )


def prepare_schema(connection: Connection[Any], plan: str) -> None:
    """Create a plan's schema, owned by the plan's role, if missing; let the role use headgate."""
    names = {"role": sql.Identifier(role_of(plan)), "schema": sql.Identifier(plan)}
    found = "select 1 where to_regnamespace(pg_catalog.quote_ident(%s)) is not null"
    if connection.execute(found, (plan,)).fetchone() is None:
        statement = "create schema {schema} authorization {role}"
        connection.execute(sql.SQL(statement).format(**names))
    connection.execute(sql.SQL("grant usage on schema headgate to {role}").format(**names))


def _is_member(connection: Connection[Any], role: str, member: str | None = None) -> bool:
    """Return whether `member`, by default the connecting user, has the rights of a role."""
    query = "select pg_catalog.pg_has_role(coalesce(%s, current_user), %s, 'usage') as is_member"
    row = connection.execute(query, (member, role)).fetchone()
    return bool(row and row["is_member"])


def _grant(connection: Connection[Any], role: str, member: str | None = None) -> bool:
    """Grant a role to `member`, by default the connecting user; return False if not allowed."""
    to = sql.Identifier(member) if member else sql.SQL("current_user")
    try:
        execute_about_roles(connection, sql.SQL("grant {} to {}").format(sql.Identifier(role), to))
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True


def execute_about_roles(connection: Connection[Any], statement: Query) -> None:
    """Execute a repeatable statement, again if another session changed the same role with it."""
    for _ in range(TRIES):
        try:
            connection.execute(statement)
            return
        except AT_ONCE:
            continue
    connection.execute(statement)


def role_exists(connection: Connection[Any], role: str) -> bool:
    """Return whether the server has the role."""
    query = "select 1 from pg_catalog.pg_roles where rolname = %s"
    return connection.execute(query, (role,)).fetchone() is not None


def set_locally(connection: Connection[Any], values: Mapping[str, str]) -> None:
    """Set parameters until the transaction ends, skipping those unknown to this server version."""
    known = "select pg_catalog.set_config(%s, %s, true) where current_setting(%s, true) is not null"
    for name, value in values.items():
        connection.execute(known, (name, value, name))
