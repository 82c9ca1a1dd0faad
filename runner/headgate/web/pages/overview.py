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
WAITING = """
select
    w.pipeline, w.run_id, w.operation, w.reason, min(w.step) as step, sum(w.jobs) as jobs,
    min(w.next_try_at) as next_try_at, min(w.gives_up_at) as gives_up_at,
    sum(sum(w.jobs)) over () as all_jobs
from headgate.v_waiting as w
group by w.pipeline, w.run_id, w.operation, w.reason
order by next_try_at nulls first, w.pipeline, w.operation, w.reason
limit %(limit)s
"""
FAILING = """
select
    f.operation, count(*) as assets, max(f.last_failed_at) as last_failed_at,
    (array_agg(f.last_error order by f.last_failed_at desc))[1] as error,
    (array_agg(f.asset order by f.last_failed_at desc))[1] as example
from headgate.v_failed_assets as f
group by f.operation
order by assets desc, f.operation
limit %(limit)s
"""
QUOTA = """
select
    q.*,
    (
        select sum(d.units)
        from headgate.v_deferrals as d
        join headgate.v_operations as o using (operation)
        where o.provider = q.provider
            and d.reason = 'quota'
            and d.started_at >= q.opened_at
    ) as wanted
from headgate.v_quota as q
where q.opened_at <= headgate.clock() and q.closes_at > headgate.clock() and q.provider <> 'local'
"""
FRESHNESS = "select * from headgate.v_counted_freshness"
BLOCKED = """
select h.provider, null as operation, h.state, h.blocked_until, h.blocked_reason as reason
from headgate.v_provider_health as h
where h.state <> 'flowing'
union all
select h.provider, h.operation, h.state, h.blocked_until, h.reason
from headgate.v_operation_health as h
where h.state <> 'flowing'
order by provider, operation nulls first
"""
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

    return {
        "runs": rows(RUNS),
        "waiting": rows(WAITING),
        "failing": rows(FAILING),
        "quota": rows(QUOTA),
        "freshness": _by_operation(rows(FRESHNESS)),
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


PAGE = Page("/", "overview.html", load, menu="Overview")
