"""What runs, what waits and why, what failed, what may be spent, and how fresh the data is."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import Any

from aiohttp import web
from psycopg import Connection
from psycopg.rows import DictRow

from headgate.web.page import Page

SHOWN = 15
RUNS = "select * from headgate.v_recent_executions as e limit %(limit)s"
WAITING = "select * from headgate.v_waiting_work as w limit %(limit)s"
FAILING = "select * from headgate.v_failing_operations as f limit %(limit)s"
QUOTA = "select * from headgate.v_open_quota"
FRESHNESS = "select * from headgate.v_counted_freshness"
BLOCKED = "select * from headgate.v_blocked_calls"
PAUSED = "select p.pipeline from headgate.v_pipelines as p where p.is_paused"
RUNNERS = "select * from headgate.v_runners"
ALERTS = """
select * from headgate.v_alerts as a
where a.resolved_at is null
order by a.raised_at desc
limit %(limit)s
"""
COUNTS = ("assets", "fresh", "stale", "never")


def load(connection: Connection[DictRow], request: web.Request) -> dict[str, Any]:
    """Return what the overview shows."""

    def rows(query: str) -> list[DictRow]:
        return connection.execute(query.encode(), {"limit": SHOWN}).fetchall()

    freshness = _by_operation(rows(FRESHNESS))
    return {
        "runs": rows(RUNS),
        "paused": rows(PAUSED),
        "waiting": rows(WAITING),
        "failing": rows(FAILING),
        "quota": rows(QUOTA),
        "freshness": _most_stale(freshness),
        "operations": len(freshness),
        "blocked": rows(BLOCKED),
        "runners": rows(RUNNERS),
        "alerts": rows(ALERTS),
    }


def _by_operation(rows: list[DictRow]) -> list[dict[str, Any]]:
    """Return the sums of each operation with its groups; those of most assets first."""
    found = []
    for operation, rest in groupby(rows, itemgetter("operation")):
        groups = list(rest)
        sums = {name: sum(x[name] for x in groups) for name in COUNTS}
        found.append({"operation": operation, **sums, "groups": groups})
    return sorted(found, key=itemgetter("assets"), reverse=True)


def _most_stale(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return those with the most stale assets, in their order: hundreds would be in the way."""
    shown = sorted(found, key=itemgetter("stale"), reverse=True)[:SHOWN]
    return [x for x in found if x in shown]


PAGE = Page("/", "overview.html", load, menu="Overview")
