"""When tests take place: on one day, whatever the machine's calendar says.

It is a Wednesday at noon, UTC, in the middle of a month and of a quarter; no exchange had a holiday in the fortnight
before, and the shipped sessions begin long before it and end long after. A database's clock is moved there when it is
made, and runs on from there. A test that is about another time sets the clock itself.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from psycopg import sql

NOW: Final = datetime(2025, 10, 15, 12, tzinfo=UTC)


def offset_to(at: datetime) -> str:
    """Return how far the machine's time is from a moment, as PostgreSQL writes an interval."""
    return f"{(at - datetime.now(UTC)).total_seconds():.3f} seconds"


def moved(database: str, at: datetime = NOW) -> sql.Composed:
    """Return the statement that moves the clock of all sessions to come in a database."""
    return sql.SQL("alter database {} set headgate.clock_offset = {}").format(
        sql.Identifier(database), sql.Literal(offset_to(at))
    )
