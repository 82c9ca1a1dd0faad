"""A source database of made-up investors and companies, as the recommender's plan reads it."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from psycopg import Connection


def fill(connection: Connection[Any]) -> None:
    """Make its tables and rows in an empty schema public, all or nothing."""
    with connection.transaction():
        connection.execute((files(__name__) / "source.sql").read_bytes())
