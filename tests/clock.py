"""The moment at which tests take place, independent of the machine's date.

It is a Wednesday at noon, UTC, in the middle of a month and of a quarter. No exchange had a holiday in the fortnight
before, and the shipped sessions begin long before and end long after it. Each new database's clock is moved there and
runs on from there. A test about another time sets the clock itself.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from psycopg import sql

NOW: Final = datetime(2025, 10, 15, 12, tzinfo=UTC)


def offset_to(at: datetime) -> str:
    """Return the distance from the machine's time to a moment, as a PostgreSQL interval."""
    return f"{(at - datetime.now(UTC)).total_seconds():.3f} seconds"


def moved(database: str, at: datetime = NOW) -> sql.Composed:
    """Return the statement that moves the clock of all future sessions of a database."""
    return sql.SQL("alter database {} set headgate.clock_offset = {}").format(
        sql.Identifier(database), sql.Literal(offset_to(at))
    )
