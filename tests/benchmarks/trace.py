"""Counts the SQL function calls of a job with one HTTP call: `python -m tests.benchmarks.trace`.

One asset, one chunk, one call, without a worker or an HTTP server: a claim and a runner's completion, each on a
warm connection. `track_functions = all` counts every function that is not inlined, except PostgreSQL's own.
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
    """Count the function calls of a claim, of a completion, and of both."""
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
    """Return the number of calls of each function, for the claim and for the completion."""
    with system.own_database(server, "trace") as settings, connect(settings, "bench") as connection:
        plan = Plan(connection)
        plan.sql(KEEP)
        write_calls(plan, NAME, "http://127.0.0.1:9", **CALL)
        # As in a plan's file: a pinned search_path skips a closer check of the function.
        plan.sql("alter function public.keep set search_path = pg_catalog, pg_temp")
        system.add_assets(plan, NAME, JOBS)
        plan.sql("set track_functions = 'all'")
        _run(plan)  # compiles the functions, and opens the quota window
        return _run(plan)


def _run(plan: Plan) -> dict[str, Counter[str]]:
    """Work off a run's jobs one by one; return the calls of the first, which does not end its step."""
    system.make_due(plan, NAME, 1)
    run_id = system.start(plan, NAME)
    plan.call("enqueue_step", p_pipeline=NAME, p_run_id=run_id, p_step="work")
    # Other providers' queues would be tried before or after this one, at random.
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
    """Return the arguments of a completion after one answered call."""
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
    """Print the calls of each function, the total last; return 1 if the total exceeds the goal."""
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
