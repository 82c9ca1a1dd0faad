"""The pipelines, each with what became of its latest runs."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from psycopg import Connection
from psycopg.rows import DictRow

from headgate.web.page import Page

PIPELINES = "select * from headgate.v_pipelines"
LATEST = "select * from headgate.v_latest_executions"


def load(connection: Connection[DictRow], request: web.Request) -> dict[str, Any]:
    """Return the pipelines, with the latest runs of each, oldest first."""
    runs = connection.execute(LATEST).fetchall()
    return {
        "pipelines": [
            {**row, "runs": [x for x in runs if x["pipeline"] == row["pipeline"]]}
            for row in connection.execute(PIPELINES)
        ]
    }


PAGE = Page("/pipelines", "pipelines.html", load, menu="Pipelines")
