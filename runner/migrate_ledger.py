"""The ledger of applied files: table headgate.schema_files, which only `migrate` writes."""

from __future__ import annotations

from typing import Any, LiteralString

from psycopg import Connection, sql
from psycopg.errors import DuplicateSchema, DuplicateTable, UniqueViolation

from runner.errors import MigrateError
from runner.migrate_files import OWNER, File, file_at
from runner.migrate_functions import names_of

TRIES = 10
SCHEMA: LiteralString = "create schema if not exists headgate authorization headgate_owner"

LEDGER: LiteralString = """
create table if not exists headgate.schema_files (
    path text not null,
    sha256 text not null,
    applied_at timestamptz not null default clock_timestamp(),
    constraint schema_files_pkey primary key (path)
);

comment on table headgate.schema_files is 'Files of db/ that were applied to this database.';
comment on column headgate.schema_files.path is 'Relative to db/.';
comment on column headgate.schema_files.sha256 is 'Of the file as it was applied.';
comment on column headgate.schema_files.applied_at is 'When it was applied last.';
"""

RECORD: LiteralString = """
insert into headgate.schema_files as f (path, sha256)
values (%s, %s)
on conflict (path) do update
set sha256 = excluded.sha256,
    applied_at = excluded.applied_at
"""

STILL_THERE: LiteralString = """
select
    exists (
        select
        from pg_catalog.pg_proc as p
        where p.proname = %(name)s
            and p.pronamespace = to_regnamespace(%(schema)s)
    )
    or exists (
        select
        from pg_catalog.pg_class as c
        where c.relname = %(name)s
            and c.relnamespace = to_regnamespace(%(schema)s)
    ) as is_there
"""


def has_ledger(connection: Connection[Any]) -> bool:
    """Return whether anything was ever applied here."""
    found = "select 1 where to_regclass('headgate.schema_files') is not null"
    return connection.execute(found).fetchone() is not None


def applied_files(connection: Connection[Any]) -> dict[str, str]:
    """Return path and hash of the files applied so far, as the ledger's owner reads them."""
    if not has_ledger(connection):
        return {}
    rows = connection.execute("select f.path, f.sha256 from headgate.schema_files as f").fetchall()
    return {row["path"]: row["sha256"] for row in rows}


def told_files(connection: Connection[Any]) -> dict[str, str]:
    """Return the same, as every role of Headgate may read it."""
    found = "select 1 where to_regprocedure('headgate.applied_files()') is not null"
    if connection.execute(found).fetchone() is None:
        return applied_files(connection)
    rows = connection.execute("select f.path, f.sha256 from headgate.applied_files() as f")
    return {row["path"]: row["sha256"] for row in rows.fetchall()}


def record(connection: Connection[Any], file: File) -> None:
    """Note that the file was applied as it is now."""
    connection.execute(RECORD, (file.path, file.sha256))


def gone_files(
    connection: Connection[Any], files: list[File], applied: dict[str, str], *, forget: bool
) -> list[str]:
    """Return applied files that are no longer in db/.

    A migration is reported for good, a function or view as long as the database has it; the rest
    once, and then forgotten. A file is not gone when another has its name or defines the function
    it was named after, nor is one of helpers whose name no function has: they were split up. Of a
    plan that is gone as a whole nothing is forgotten: it may come back.
    """
    kept = {x.path for x in files}
    plans = {None, *(x.plan for x in files)}
    defined = names_of(files)
    names = {(x.kind, x.plan, x.name) for x in files}
    gone = []
    for path in sorted(applied.keys() - kept):
        file = file_at(path)
        is_there = _is_there(connection, file)
        is_moved = file.is_stateless and (
            (file.kind, file.plan, file.name) in names
            or f"{file.plan or 'headgate'}.{file.name}" in defined
            or (file.is_private and not is_there)
        )
        if not is_moved:
            gone.append(path)
        is_known = file.kind == "migration" or file.plan not in plans
        if forget and not is_known and (is_moved or not is_there):
            connection.execute("delete from headgate.schema_files where path = %s", (path,))
    return gone


def _is_there(connection: Connection[Any], file: File) -> bool:
    """Return whether the function or view that the file is named after still exists."""
    if not file.is_stateless:
        return False
    names = {"name": file.name, "schema": file.plan or "headgate"}
    row = connection.execute(STILL_THERE, names).fetchone()
    return bool(row and row["is_there"])


def create_ledger(connection: Connection[Any]) -> None:
    """Create the schema and in it the ledger, both owned by the owner of the plan, if missing."""
    for _ in range(TRIES):
        try:
            with connection.transaction():
                connection.execute(SCHEMA)
                connection.execute(sql.SQL("set local role {}").format(sql.Identifier(OWNER)))
                connection.execute(LEDGER)
            return
        except (UniqueViolation, DuplicateSchema, DuplicateTable):
            continue  # another migrate makes them, too, and has committed by now
    raise MigrateError(
        "others make and drop the schema headgate all the time", hint="wait until they have ended"
    )
