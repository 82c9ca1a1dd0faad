"""Reads Parquet back with DuckDB, which shares no code with the library that wrote it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb


def read_back(path: Path) -> tuple[dict[str, str], list[tuple[Any, ...]]]:
    """Return the types of a file's columns, as DuckDB calls them, and its rows."""
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        found = connection.execute("select * from read_parquet(?)", [str(path)])
        return {x[0]: str(x[1]) for x in found.description or []}, found.fetchall()
