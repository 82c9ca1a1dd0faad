"""PostgreSQL's errors in files of db/, with a place that an editor can open."""

from __future__ import annotations

import psycopg

from headgate.errors import MigrationFailed

HINTS = {
    "2BP01": "a migration must drop what uses it first",
    "42501": "connect as a superuser, or as a role that may create roles and schemas",
    "55P03": "another session holds a lock on the table; try again, or raise HEADGATE_LOCK_TIMEOUT",
    "40P01": "it met the work of others; run it again",
}


def failure(place: str, exc: psycopg.Error) -> MigrationFailed:
    """Return the exception for a failed statement; `place` is `file:line`."""
    message = f"{place}: {exc.diag.message_primary or exc}"
    detail = f" ({exc.diag.message_detail})" if exc.diag.message_detail else ""
    hint = HINTS.get(exc.sqlstate or "") or exc.diag.message_hint
    return MigrationFailed(message + detail, hint=hint)
