"""The checks of the plans' data, with their results."""

from __future__ import annotations

from typing import Any, LiteralString

from aiohttp import web
from psycopg import Connection
from psycopg.rows import DictRow

from headgate.web.page import Page
from headgate.web.paging import ROWS, moment_of, page_of

CHECKS: LiteralString = """
select * from headgate.v_checks as c
order by array_position('{errored,failed,warned,passed}', c.status) nulls last, c.pipeline, c.name
"""
CHECK: LiteralString = "select * from headgate.v_checks as c where c.name = %(name)s"
RESULTS: LiteralString = """
select * from headgate.v_check_results as r
where r.name = %(name)s
    and r.checked_at < coalesce(%(before)s::timestamptz, 'infinity')
order by r.checked_at desc
fetch first %(most)s rows with ties
"""


def load_all(connection: Connection[DictRow], request: web.Request) -> dict[str, Any]:
    """Return the checks, those that do not pass first."""
    return {"checks": connection.execute(CHECKS).fetchall()}


def load(connection: Connection[DictRow], request: web.Request) -> dict[str, Any]:
    """Return one check and its results, newest first. Raises HTTPNotFound, InvalidValue."""
    named = {"name": request.match_info["check"], "before": moment_of(request), "most": ROWS}
    check = connection.execute(CHECK, named).fetchone()
    if check is None:
        raise web.HTTPNotFound
    results = connection.execute(RESULTS, named).fetchall()
    return {"check": check, "results": page_of(results, "checked_at")}


PAGE = Page("/checks", "checks.html", load_all, menu="Checks")
ONE = Page("/checks/{check:.+}", "check.html", load)
