"""How many SQL functions a job of one HTTP call goes through: `python -m tests.benchmarks.trace`.

One asset, one chunk, one call; no worker and no server to ask: a claim, and the completion a runner
sends, each on a connection that is warm. `track_functions = all` counts every function that is not
inlined; calls of PostgreSQL's own are not among them.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from headgate.database import connect
from headgate.settings import Settings
from tests.benchmarks import system
from tests.benchmarks.jobs import write_calls
from tests.benchmarks.measure import Figure
from tests.plan import Plan

NAME: Final = "traced"
GOAL: Final = 60
JOBS: Final = 3
CALLED: Final = """
    select f.schemaname || '.' || f.funcname as name, f.calls
    from pg_stat_xact_user_functions as f
    where f.schemaname <> 'pg_catalog'
"""
CALL: Final = {"units": 1, "path": "/eod/{asset.code}", "ingest_function": "public.keep"}
KEEP: Final = """
    create function public.keep(p_context jsonb, p_asset_ids bigint[], p_payloads text[])
    returns setof headgate.ingest_result language sql volatile security definer
    set search_path = pg_catalog, pg_temp as $func$
        select u.asset_id, 'success', 1, null::timestamptz, null::text from unnest(p_asset_ids) as u (asset_id);
    $func$;
"""


def run(server: Settings) -> Iterator[Figure]:
    """Count the functions of a claim and of a completion, and of both."""
    parts = trace(server)
    for what, counts in parts.items():
        yield Figure(f"functions: {what}", counts.total(), unit="calls")
    yield Figure(
        "functions: a job of one HTTP call",
        sum(x.total() for x in parts.values()),
        unit="calls",
        at_most=GOAL + 1,
    )


def trace(server: Settings) -> dict[str, Counter[str]]:
    """Return how often each function is called, by what was asked for."""
    with system.own_database(server, "trace") as settings, connect(settings, "bench") as connection:
        plan = Plan(connection)
        plan.sql(KEEP)
        write_calls(plan, NAME, "http://127.0.0.1:9", **CALL)
        # As in a plan's file: a function that is plainly fit is not looked at closely.
        plan.sql("alter function public.keep set search_path = pg_catalog, pg_temp")
        system.add_assets(plan, NAME, JOBS)
        plan.sql("set track_functions = 'all'")
        _run(plan)  # compiles, and opens the window
        return _run(plan)


def _run(plan: Plan) -> dict[str, Counter[str]]:
    """Do a run's jobs one by one; return what the first of them called: it does not end its step."""
    system.make_due(plan, NAME, 1)
    run_id = system.start(plan, NAME)
    plan.call("enqueue_step", p_pipeline=NAME, p_run_id=run_id, p_step="work")
    # Other providers would be tried before it or after it, as chance has it.
    others = "select p.name from headgate.providers as p where p.name <> %(name)s"
    avoid = [x["name"] for x in plan.sql(others, name=NAME)]
    parts: list[dict[str, Counter[str]]] = []
    for _ in range(JOBS):
        with counted(plan) as claimed:
            (chunk,) = plan.call("claim_jobs", p_runner="trace", p_avoid=avoid)
        with counted(plan) as completed:
            plan.call("complete_jobs", **report(chunk))
        parts.append({"claim_jobs": claimed, "complete_jobs": completed})
    system.finish(plan, NAME, run_id, JOBS)
    return parts[0]


@contextmanager
def counted(plan: Plan) -> Iterator[Counter[str]]:
    """Count the calls of one transaction."""
    counts: Counter[str] = Counter()
    with plan.connection.transaction():
        before = Counter({x["name"]: x["calls"] for x in plan.sql(CALLED)})
        yield counts
        counts += Counter({x["name"]: x["calls"] for x in plan.sql(CALLED)}) - before


def report(chunk: dict[str, Any]) -> dict[str, Any]:
    """Return the report of a runner whose one call was answered."""
    return {
        "p_runner": "trace",
        "p_chunk_id": chunk["chunk_id"],
        "p_lease_no": chunk["lease_no"],
        "p_asset_ids": chunk["asset_ids"],
        "p_outcomes": ["success"],
        "p_payloads": ["{}"],
        "p_request_counts": [1],
        "p_durations_ms": [12],
    }


def main() -> int:
    """Print each function with its calls, the total last; 1 when there are more than the goal."""
    argparse.ArgumentParser(
        prog="python -m tests.benchmarks.trace", description=__doc__
    ).parse_args()
    with system.own_server() as server:
        parts = trace(server)
    for what, counts in parts.items():
        print(f"{what}: {counts.total()} calls of {len(counts)} functions")
        for name, calls in sorted(counts.items(), key=lambda x: (-x[1], x[0])):
            print(f"{calls:6} {name}")
    total = sum(x.total() for x in parts.values())
    print(f"a job of one HTTP call: {total} calls of SQL functions; the goal is at most {GOAL}")
    return total > GOAL


if __name__ == "__main__":
    sys.exit(main())
