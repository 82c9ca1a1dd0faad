"""The alerts: what is open, and what is over."""

from __future__ import annotations

from typing import Any, Final, LiteralString

from aiohttp import web
from psycopg import Connection
from psycopg.rows import DictRow

from headgate.web.page import Page
from headgate.web.paging import ROWS, moment_of, page_of

MAX_OPEN: Final = 200
OPEN: LiteralString = """
select * from headgate.v_alerts as a
where a.resolved_at is null
order by a.raised_at desc, a.subject
limit %(most_open)s
"""
OVER: LiteralString = """
select * from headgate.v_alerts as a
where a.resolved_at is not null
    and a.raised_at < coalesce(%(before)s::timestamptz, 'infinity')
order by a.raised_at desc
fetch first %(most)s rows with ties
"""


def load(connection: Connection[DictRow], request: web.Request) -> dict[str, Any]:
    """Return the open alerts, and those that are over, newest first. Raises InvalidValue."""
    named = {"before": moment_of(request), "most": ROWS, "most_open": MAX_OPEN}
    return {
        "open": connection.execute(OPEN, named).fetchall(),
        "most_open": MAX_OPEN,
        "over": page_of(connection.execute(OVER, named).fetchall(), "raised_at"),
    }


PAGE = Page("/alerts", "alerts.html", load, menu="Alerts")
