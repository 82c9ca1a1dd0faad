"""The operations: when they are due, what they cost, and whether their calls flow."""

from __future__ import annotations

from typing import Any, Final, LiteralString

from aiohttp import web
from psycopg import Connection
from psycopg.rows import DictRow

from headgate.errors import UnknownOperation
from headgate.web.page import Page

OPERATIONS: LiteralString = "select * from headgate.v_operations"
OPERATION: LiteralString = """
select * from headgate.v_operations as o where o.operation = %(operation)s
"""
FRESHNESS: LiteralString = """
select * from headgate.v_counted_freshness as f
where f.operation = %(operation)s
order by f.group_key
"""
WAITING: LiteralString = """
select * from headgate.v_waiting as w
where w.operation = %(operation)s
order by w.next_try_at nulls first, w.pipeline, w.reason
"""
FAILING: LiteralString = """
select * from headgate.v_failed_assets as f
where f.operation = %(operation)s
order by f.last_failed_at desc nulls last, f.asset
limit %(most)s
"""
SHOWN: Final = 30


def load_all(connection: Connection[DictRow], request: web.Request) -> dict[str, Any]:
    """Return the operations."""
    return {"operations": connection.execute(OPERATIONS).fetchall()}


def load(connection: Connection[DictRow], request: web.Request) -> dict[str, Any]:
    """Return one operation: its settings, freshness, waiting and failing work."""
    named = {"operation": request.match_info["operation"], "most": SHOWN}
    operation = connection.execute(OPERATION, named).fetchone()
    if operation is None:
        raise UnknownOperation(
            f"unknown operation: {named['operation']!r}", hint="the page Operations lists them"
        )
    return {
        "operation": operation,
        "freshness": connection.execute(FRESHNESS, named).fetchall(),
        "waiting": connection.execute(WAITING, named).fetchall(),
        "failing": connection.execute(FAILING, named).fetchall(),
    }


PAGE = Page("/operations", "operations.html", load_all, menu="Operations")
ONE = Page("/operations/{operation:.+}", "operation.html", load)
