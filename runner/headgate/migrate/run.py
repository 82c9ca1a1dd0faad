"""Brings the database to the state of db/ by applying new and changed files.

Migrations run once, in order, and are frozen by hash. Functions, views, data, plans and grants are
re-applied when they change. All runs in one transaction; db/README.md lists the rules.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import Connection
from psycopg.rows import DictRow

from headgate import PROTOCOL
from headgate.database import connect, mapped_errors
from headgate.errors import MigrateError, MigrationFailed, NeverMigrated, NotMigrated
from headgate.migrate.data import load_data
from headgate.migrate.declare import Declaration, Declared
from headgate.migrate.failure import failure
from headgate.migrate.files import OF_THE_SERVER, OWNER, File, file_at, pending_files, read_folder
from headgate.migrate.functions import names_of, replace_functions
from headgate.migrate.ledger import (
    applied_files,
    create_ledger,
    gone_files,
    has_ledger,
    record,
    told_files,
)
from headgate.migrate.pgmq import grant_pgmq, install_pgmq, require_new_pgmq
from headgate.migrate.setup import (
    close_servers_own,
    create_database,
    database_exists,
    execute_about_roles,
    prepare_roles,
    prepare_schema,
    require_membership,
    require_version,
    set_locally,
)
from headgate.migrate.sql import Statement, statements
from headgate.sessions import PINNED
from headgate.settings import Settings

logger = logging.getLogger(__name__)

MAX_NAMED = 20
TOLD = ("changed", "retired")
"""Results of declarations that are logged; `created` is not, as a first run creates everything."""

LOCK: LiteralString = "lock table headgate.schema_files in share update exclusive mode"
PATIENT = {
    "lock_timeout": "0",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "transaction_timeout": "0",
}
"""Settings that lift the login's time limits: a migration may take long."""
LIMITS = {**PATIENT, **PINNED, "check_function_bodies": "off", "jit": "off"}
"""Settings of a run's transactions; to compile a first run's statements takes longer than they."""


@dataclass(frozen=True, slots=True)
class Report:
    """Files that a run applied, or a dry run would apply, and applied files missing from db/."""

    files: list[str]
    gone: list[str]


def migrate(settings: Settings, *, dry_run: bool = False) -> Report:
    """Apply the pending files, or only list them. Raises MigrateError and its subclasses."""
    files = read_folder(settings.db, settings.plans)
    if not database_exists(settings):
        if dry_run:
            return Report([x.path for x in pending_files(files, {})], [])
        create_database(settings)
    with connect(settings, "migrate") as connection:
        require_version(connection)
        require_new_pgmq(connection)
        require_membership(connection, [OWNER], may_grant=not dry_run)
        applied = applied_files(connection)
        pending = pending_files(files, applied)
        if pending and not dry_run:
            close_servers_own(settings)
            prepare_roles(connection, {x.plan for x in files if x.plan})
            if not has_ledger(connection):
                create_ledger(connection)
            with _alone(settings):
                applied = applied_files(connection)
                pending = pending_files(files, applied)
                Run(connection, settings, names_of(files)).apply(pending)
        gone = gone_files(connection, files, applied, forget=not dry_run)
        _warn_of(gone, settings, {x.plan for x in files})
        return Report([x.path for x in pending], gone)


def _warn_of(gone: list[str], settings: Settings, plans: Set[str | None]) -> None:
    """Log the missing files; a plan that is missing as a whole gets one line."""
    found = {path: file_at(path).plan for path in gone}
    for path in (x for x, plan in found.items() if plan in plans or plan is None):
        logger.warning("%s/%s was applied and is gone", settings.db.name, path)
    for plan in sorted({x for x in found.values() if x is not None} - plans):
        logger.warning(
            "plan %s was applied and is not among the plans: its tables, functions and rows stay; "
            "HEADGATE_PLANS names folders",
            plan,
        )


def require_migrated(connection: Connection[Any], settings: Settings) -> None:
    """Raise NotMigrated unless the database is in the state of db/."""
    applied = told_files(connection)
    pending = pending_files(read_folder(settings.db, settings.plans), applied)
    lacking = [x for x in pending if applied.get(x.path) != x.sha256]  # not: applied once more
    if lacking:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        error = NotMigrated if applied else NeverMigrated
        raise error(f"database {settings.database} lacks {lacking[0].place}{more}")


def require_protocol(connection: Connection[Any], settings: Settings) -> None:
    """Raise NotMigrated or ProtocolRefused unless runners of this version may work on the database.

    Its state may be another version's: old and new runners work side by side during an upgrade.
    """
    found = "select 1 where to_regprocedure('headgate.require_protocol(integer)') is not null"
    if connection.execute(found).fetchone() is None:
        require_migrated(connection, settings)
        return
    with mapped_errors():
        connection.execute("select headgate.require_protocol(%s)", (PROTOCOL,))
    try:
        require_migrated(connection, settings)
    except MigrateError as exc:
        logger.warning(
            "the database is of another version than this runner (%s); "
            "it works, as protocol %s is served",
            exc,
            PROTOCOL,
        )


class Run:
    """A run of migrate. Its files share a transaction, except those that are not transactional."""

    def __init__(
        self, connection: Connection[DictRow], settings: Settings, definers: dict[str, list[str]]
    ) -> None:
        self._connection = connection
        self._definers = definers
        self._lock_timeout = settings.lock_timeout
        self._prepared: set[str] = set()
        self._level = logging.INFO

    def apply(self, pending: list[File]) -> None:
        """Apply the files in order; more than MAX_NAMED are logged at debug level only."""
        self._level = logging.INFO if len(pending) <= MAX_NAMED else logging.DEBUG
        rest = list(pending)
        while rest:
            while rest and not rest[0].is_transactional:
                self._apply(rest.pop(0))
            with self.transaction():
                install_pgmq(self._connection)
                grant_pgmq(self._connection)
                while rest and rest[0].is_transactional:
                    self._apply(rest.pop(0))
                if not any(x.is_transactional for x in rest):
                    self.call_owners("headgate.check_plans")  # checks the rows of all plans
        if pending:
            with self.transaction():
                self.call_owners("headgate.note_schema")

    @contextmanager
    def transaction(self, *, is_undone: bool = False) -> Iterator[None]:
        """Open a transaction with a lock timeout that creates functions in any order.

        The settings are local to the transaction: behind a pooler the next transaction may run on
        another server connection.
        """
        with self._connection.transaction(force_rollback=is_undone):
            set_locally(self._connection, {**LIMITS, "lock_timeout": self._lock_timeout})
            yield

    def _apply(self, file: File) -> None:
        before = self._connection.info.transaction_status
        declared = self.execute(file)
        if self._connection.info.transaction_status != before:
            raise MigrationFailed(
                f"{file.place} begins or ends a transaction",
                hint="leave out begin, commit and rollback: migrate writes them",
            )
        record(self._connection, file)
        logger.log(self._level, "applied %s", file.place)
        for place, result in declared:
            if result.startswith(TOLD):
                logger.info("%s: %s", place, result)

    def execute(self, file: File) -> list[Declared]:
        """Execute a file as its role, without recording it; return its declarations."""
        if file.plan is not None and file.plan not in self._prepared:
            prepare_schema(self._connection, file.plan)
            self._prepared.add(file.plan)
        # A role cannot be set outside of a transaction; the connecting user is a member of it.
        with self._acting_as(file.role if file.is_transactional else None):
            match file.kind:
                case "data":
                    self._load(file)
                case "plan":
                    declaration = Declaration(self._connection, file.place, file.plan or "")
                    return declaration.apply(file.text)
                case _:
                    self._execute(file)
        return []

    def _execute(self, file: File) -> None:
        def execute(statement: Statement) -> None:
            try:
                if file.kind in OF_THE_SERVER:
                    execute_about_roles(self._connection, statement.text.encode())
                else:
                    self._connection.execute(statement.text.encode())
            except psycopg.Error as exc:
                line = statement.line_of(int(exc.diag.statement_position or 1))
                raise failure(f"{file.place}:{line}", exc) from exc

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
            raise failure(f"{file.place}:{line[1] if line else 1}", exc) from exc

    def call_owners(self, function: LiteralString) -> None:
        """Call a function as headgate_owner, if the database already has it."""
        found = "select 1 where to_regprocedure(%s) is not null"
        if self._connection.execute(found, (f"{function}()",)).fetchone() is None:
            return
        with self._acting_as(OWNER), mapped_errors():
            self._connection.execute(f"select {function}()")

    @contextmanager
    def _acting_as(self, role: str | None) -> Iterator[None]:
        """Run the block as the role; None: as the connecting user."""
        if role is None:
            yield
            return
        set_locally(self._connection, {"role": role})
        yield
        if not self._connection.closed:
            set_locally(self._connection, {"role": "none"})


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Hold the lock that lets one migrate run at a time, on the ledger, in a second connection.

    The lock allows writes to the ledger, outlasts files that commit, and ends with its transaction.
    """
    with connect(settings, "migrate, alone") as keeper, keeper.transaction():
        set_locally(keeper, PATIENT)
        try:
            with keeper.transaction():
                keeper.execute(f"{LOCK} nowait")
        except psycopg.errors.LockNotAvailable:
            logger.info("another migrate is running; waiting for it")
            keeper.execute(LOCK)
        yield
