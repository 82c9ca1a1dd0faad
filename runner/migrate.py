"""Bring the database to the state of db/: what has not run yet, and what has changed.

Migrations run once, in order, and are frozen by hash. Functions, views, data, rows and grants are
applied again when they changed. All in one transaction; db/README.md tells the rules.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import Connection, sql
from psycopg.rows import DictRow

from runner.database import connect, mapped_errors
from runner.errors import MigrationFailed, NotMigrated
from runner.migrate_data import load_data
from runner.migrate_files import OWNER, File, pending_files, read_folder
from runner.migrate_functions import names_of, replace_functions
from runner.migrate_ledger import applied_files, gone_files, record, told_files
from runner.migrate_setup import (
    create_database,
    database_exists,
    grant_pgmq,
    install_pgmq,
    prepare_owner,
    prepare_plan,
    require_version,
    role_exists,
)
from runner.migrate_sql import Statement, statements
from runner.settings import Settings

logger = logging.getLogger(__name__)

MOST_NAMED = 20

HINTS = {
    "2BP01": "a migration must drop what uses it first",
    "42501": "connect as a superuser, or as a role that may create roles and schemas",
    "55P03": "somebody holds a lock on the table; try again, or raise HEADGATE_LOCK_TIMEOUT",
    "40P01": "it met the work of others; run it again",
}


@dataclass(frozen=True, slots=True)
class Report:
    """What a run applied (a dry run: would apply), and applied files that are gone from db/."""

    files: list[str]
    gone: list[str]


def migrate(settings: Settings, *, dry_run: bool = False) -> Report:
    """Apply what is pending, or only list it."""
    files = read_folder(settings.db)
    if not database_exists(settings):
        if dry_run:
            return Report([x.path for x in pending_files(files, {})], [])
        create_database(settings)
    with connect(settings, "migrate") as connection, _alone(connection):
        require_version(connection)
        applied = applied_files(connection)
        pending = pending_files(files, applied)
        if pending and not dry_run:
            _Run(connection, settings, names_of(files)).apply(pending)
        gone = gone_files(connection, files, applied, forget=not dry_run)
        for path in gone:
            logger.warning("%s/%s was applied and is gone", settings.db.name, path)
        return Report([x.path for x in pending], gone)


def require_migrated(connection: Connection[Any], settings: Settings) -> None:
    """Raise unless the database is in the state of db/."""
    pending = pending_files(read_folder(settings.db), told_files(connection))
    if pending:
        more = f" and {len(pending) - 1} more" if len(pending) > 1 else ""
        raise NotMigrated(
            f"database {settings.database} lacks {settings.db.name}/{pending[0].path}{more}"
        )


class _Run:
    """One run. Its files share a transaction, but for those that must not."""

    def __init__(
        self, connection: Connection[DictRow], settings: Settings, definers: dict[str, list[str]]
    ) -> None:
        self._connection = connection
        self._definers = definers
        self._folder = settings.db.name
        self._lock_timeout = settings.lock_timeout
        self._prepared: set[str] = set()
        self._level = logging.INFO

    def apply(self, pending: list[File]) -> None:
        """Apply the files in order; a first installation does not name each."""
        self._level = logging.INFO if len(pending) <= MOST_NAMED else logging.DEBUG
        rest = list(pending)
        while rest:
            with self._connection.transaction():
                self._set_timeouts()
                prepare_owner(self._connection)
                install_pgmq(self._connection)
                while rest and rest[0].is_transactional:
                    self._apply(rest.pop(0))
                if not any(x.is_transactional for x in rest):
                    self._call_owners("headgate.check_plans")  # judges the rows as a whole
            while rest and not rest[0].is_transactional:
                self._apply(rest.pop(0))
        self._call_owners("headgate.note_schema")

    def _apply(self, file: File) -> None:
        if file.plan is not None and file.plan not in self._prepared:
            prepare_plan(self._connection, file.plan)
            self._prepared.add(file.plan)
        before = self._connection.info.transaction_status
        with self._acting_as(file.role):
            self._load(file) if file.kind == "data" else self._execute(file)
        if self._connection.info.transaction_status != before:
            raise MigrationFailed(
                f"{self._folder}/{file.path} begins or ends a transaction",
                hint="leave out begin, commit and rollback: migrate writes them",
            )
        if file.kind == "migration" and file.role is None and role_exists(self._connection, OWNER):
            grant_pgmq(self._connection)
        record(self._connection, file)
        logger.log(self._level, "applied %s/%s", self._folder, file.path)

    def _execute(self, file: File) -> None:
        def execute(statement: Statement) -> None:
            try:
                self._connection.execute(statement.text.encode())
            except psycopg.Error as exc:
                line = statement.line_of(int(exc.diag.statement_position or 1))
                raise self._failure(f"{file.path}:{line}", exc) from exc

        if file.kind == "function":
            replace_functions(self._connection, file, self._definers, execute)
        else:
            for statement in statements(file.text):
                execute(statement)

    def _load(self, file: File) -> None:
        try:
            load_data(self._connection, file)
        except psycopg.Error as exc:
            line = re.search(r", line (\d+)", exc.diag.context or "")
            raise self._failure(f"{file.path}:{line[1] if line else 1}", exc) from exc

    def _call_owners(self, function: LiteralString) -> None:
        """Call a function of the owner's, where the database already has it."""
        found = "select 1 where to_regprocedure(%s) is not null"
        if self._connection.execute(found, (f"{function}()",)).fetchone() is None:
            return
        with self._acting_as(OWNER), mapped_errors():
            self._connection.execute(f"select {function}()")

    def _failure(self, place: str, exc: psycopg.Error) -> MigrationFailed:
        message = f"{self._folder}/{place}: {exc.diag.message_primary or exc}"
        detail = f" ({exc.diag.message_detail})" if exc.diag.message_detail else ""
        hint = exc.diag.message_hint or HINTS.get(exc.sqlstate or "")
        if exc.sqlstate in HINTS:
            hint = HINTS[exc.sqlstate]
        return MigrationFailed(message + detail, hint=hint)

    @contextmanager
    def _acting_as(self, role: str | None) -> Iterator[None]:
        """Run the block as the role, or as the user who connected."""
        name = sql.Identifier(role or "none")
        self._connection.execute(sql.SQL("set role {}").format(name))
        yield
        if not self._connection.closed:
            self._connection.execute("reset role")

    def _set_timeouts(self) -> None:
        """Order among functions must not matter, and nobody is kept waiting behind us for long."""
        for name, value in (
            ("check_function_bodies", "off"),
            ("lock_timeout", self._lock_timeout),
            ("statement_timeout", "0"),
        ):
            self._connection.execute("select set_config(%s, %s, false)", (name, value))


@contextmanager
def _alone(connection: Connection[DictRow]) -> Iterator[None]:
    """Hold the one lock of migrate; it is freed when the connection ends, however it ends."""
    lock = "pg_catalog.hashtextextended('headgate.migrate', 0)"
    took = connection.execute(f"select pg_catalog.pg_try_advisory_lock({lock}) as took").fetchone()
    if not (took and took["took"]):
        logger.info("another migrate is running; waiting for it")
        connection.execute(f"select pg_catalog.pg_advisory_lock({lock})")
    yield
