"""Execution of plan.sql statement by statement, with its declarations and all its mistakes."""

from __future__ import annotations

from typing import Any, Final, LiteralString, NamedTuple

import psycopg
from psycopg import Connection

from headgate.database import from_psycopg
from headgate.errors import HeadgateError, MigrationFailed
from headgate.migrate.failure import failure
from headgate.migrate.sql import Statement, statements

WRONG_PLAN: Final = "HG020"
RESULTS: Final = ("created", "unchanged", "changed", "retired")
"""First words of the results of declarations."""
ENDS_RUN: Final = ("40", "53", "55", "57", "58", "XX")
"""SQLSTATE classes not caused by the file: deadlocks, locks, a full disk, a shutdown."""
PLACE: LiteralString = "select pg_catalog.set_config('headgate.place', %s, true)"
FOLDER: LiteralString = "select pg_catalog.set_config('headgate.folder', %s, true)"
NOTE: LiteralString = (
    "select headgate.note_mistake(p_message => %s, p_hint => %s, p_statement => %s)"
)


class Declared(NamedTuple):
    """The result of a declaration, created, unchanged, changed or retired, and its place."""

    place: str
    result: str


class Declaration:
    """A plan.sql, executed with a savepoint per statement so that one mistake hides no other."""

    def __init__(self, connection: Connection[Any], path: str, plan: str) -> None:
        self._connection = connection
        self._path = path
        self._plan = plan

    def apply(self, text: str) -> list[Declared]:
        """Execute the file; return the results of its declarations in order.

        Raises WrongPlan with all mistakes, or MigrationFailed.
        """
        found: list[Declared] = []
        self._connection.execute(FOLDER, (self._plan,))
        for statement in statements(text):
            place = f"{self._path}:{statement.line}"
            self._connection.execute(PLACE, (place,))
            try:
                with self._connection.transaction():
                    cursor = self._connection.execute(statement.text.encode())
                    rows = cursor.fetchall() if cursor.description else []
            except psycopg.Error as exc:
                self._note(statement, place, exc)
                continue
            results = (str(value) for row in rows for value in row.values())
            found += [Declared(place, x) for x in results if x.startswith(RESULTS)]
        self._require_end()
        return found

    def _note(self, statement: Statement, place: str, exc: psycopg.Error) -> None:
        """Add an error of PostgreSQL to the plan's mistakes.

        Raises WrongPlan for the list of mistakes at the plan's end, and MigrationFailed for an
        error that the file did not cause.
        """
        state = exc.sqlstate or ""
        if state == WRONG_PLAN:
            raise _placed(from_psycopg(exc), place) from exc
        line = statement.line_of(int(exc.diag.statement_position or 1))
        place = f"{self._path}:{line}"
        found = failure(place, exc)
        if self._connection.closed or state.startswith(ENDS_RUN):
            raise found from exc
        self._connection.execute(PLACE, (place,))
        hint = found.hint or _where(statement, exc)
        said = str(exc.diag.message_primary or exc), hint, statement.text
        try:
            with self._connection.transaction():
                self._connection.execute(NOTE, said)
        except psycopg.Error:  # outside begin_plan and end_plan mistakes are not collected
            raise found from exc

    def _require_end(self) -> None:
        """Raise if the file began a plan without ending it: WrongPlan if it has mistakes so far."""
        query = "select pg_catalog.current_setting('headgate.plan', true) as plan"
        row = self._connection.execute(query).fetchone()
        if not row or not row["plan"]:
            return
        try:
            self._connection.execute("select headgate.end_plan()")
        except psycopg.Error as exc:
            raise from_psycopg(exc) from exc
        raise MigrationFailed(
            f"{self._path}: plan {row['plan']} does not end",
            hint="a plan's file ends with select headgate.end_plan();",
        )


def _placed(exc: HeadgateError, place: str) -> HeadgateError:
    """Return an error with its place; a list of mistakes has a place in each line."""
    message = str(exc)
    return exc if "\n" in message else type(exc)(f"{place}: {message}", hint=exc.hint)


def _where(statement: Statement, exc: psycopg.Error) -> str:
    """Return the detail of an error and the text at its place, as far as they are known."""
    at = exc.diag.statement_position
    said = exc.diag.message_detail, f"at: {statement.excerpt(int(at))}" if at else None
    return "; ".join(x for x in said if x)
