"""What runs, what waits and why, what failed, and how fresh the data is."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from psycopg import Connection
from psycopg.rows import DictRow

from headgate.web.page import Page

RUNS = "select * from headgate.v_recent_executions as e limit 15"


def load(connection: Connection[DictRow], request: web.Request) -> dict[str, Any]:
    """Return what the overview shows."""
    return {"runs": connection.execute(RUNS).fetchall()}


PAGE = Page("/", "overview.html", load, menu="Overview")
