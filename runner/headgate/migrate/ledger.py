"""The ledger of applied files: table headgate.schema_files, which only `migrate` writes."""

from __future__ import annotations

from typing import Any, LiteralString

from psycopg import Connection, sql
from psycopg.errors import DuplicateSchema, DuplicateTable, UniqueViolation

from headgate.errors import MigrateError
from headgate.migrate.files import OWNER, File, file_at
from headgate.migrate.functions import names_of

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
    """Return whether the database has a ledger, so that files were applied before."""
    found = "select 1 where to_regclass('headgate.schema_files') is not null"
    return connection.execute(found).fetchone() is not None


def applied_files(connection: Connection[Any]) -> dict[str, str]:
    """Return the hashes of applied files by path; for roles that may read the ledger itself."""
    if not has_ledger(connection):
        return {}
    rows = connection.execute("select f.path, f.sha256 from headgate.schema_files as f").fetchall()
    return {row["path"]: row["sha256"] for row in rows}


def told_files(connection: Connection[Any]) -> dict[str, str]:
    """Return the hashes of applied files by path, through a function open to all our roles."""
    found = "select 1 where to_regprocedure('headgate.applied_files()') is not null"
    if connection.execute(found).fetchone() is None:
        return applied_files(connection)
    rows = connection.execute("select f.path, f.sha256 from headgate.applied_files() as f")
    return {row["path"]: row["sha256"] for row in rows.fetchall()}


def record(connection: Connection[Any], file: File) -> None:
    """Record the file and its current hash as applied."""
    connection.execute(RECORD, (file.path, file.sha256))


def gone_files(
    connection: Connection[Any], files: list[File], applied: dict[str, str], *, forget: bool
) -> list[str]:
    """Return the applied files that are missing now, and with `forget` delete some from the ledger.

    A function or view is reported while the database has it, other files once. A file counts as
    moved, not missing, if another file has its name or defines its function. A file of private
    helpers counts as split up if no function has its name. Files of a plan that is missing as a
    whole stay in the ledger: the plan may return.
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
        is_known = file.plan not in plans
        if forget and not is_known and (is_moved or not is_there):
            connection.execute("delete from headgate.schema_files where path = %s", (path,))
    return gone


def _is_there(connection: Connection[Any], file: File) -> bool:
    """Return whether the function or view of the file's name still exists."""
    if not file.is_stateless:
        return False
    names = {"name": file.name, "schema": file.plan or "headgate"}
    row = connection.execute(STILL_THERE, names).fetchone()
    return bool(row and row["is_there"])


def create_ledger(connection: Connection[Any]) -> None:
    """Create the schema and the ledger if missing, both owned by headgate_owner.

    Raises MigrateError if other sessions keep interfering.
    """
    for _ in range(TRIES):
        try:
            with connection.transaction():
                connection.execute(SCHEMA)
                connection.execute(sql.SQL("set local role {}").format(sql.Identifier(OWNER)))
                connection.execute(LEDGER)
            return
        except (UniqueViolation, DuplicateSchema, DuplicateTable):
            continue  # another migrate has just created and committed them
    raise MigrateError(
        "others make and drop the schema headgate all the time", hint="wait until they have ended"
    )
