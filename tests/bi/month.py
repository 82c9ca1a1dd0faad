"""A month of nights of the equities plan, for what shows it."""

from __future__ import annotations

from pathlib import Path

import psycopg
from psycopg.rows import DictRow

MONTH = Path(__file__).with_name("month.sql")


def write_month(connection: psycopg.Connection[DictRow]) -> None:
    """Make up a month, and run the maintenance after it."""
    with connection.transaction():
        connection.execute(MONTH.read_text().encode())
        connection.execute("select headgate.maintain_history('headgate_maintenance', 'm')")
