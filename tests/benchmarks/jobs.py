"""Jobs worked off by a worker, timed from planning to the notification of the step's end."""

from __future__ import annotations

import time
from typing import Any, Final

from psycopg import Connection

from tests.benchmarks import system
from tests.plan import Plan

QUOTA: Final = 100_000_000


def write_calls(plan: Plan, name: str, base_url: str, **operation: Any) -> None:
    """Insert a pipeline with one call per asset, for one unit each."""
    provider = {"quota": QUOTA, "base_url": base_url, "max_in_flight": 100}
    call = {"units": 1, "path": "/eod/{asset.code}", **operation}
    system.write_plan(plan, name, provider=provider, operation=call)


def send(plan: Plan, ends: Connection[Any], name: str, size: int, jobs: int) -> float:
    """Make all jobs of a pipeline due in chunks of `size`; return the seconds until a waiting worker is done."""
    system.make_due(plan, name, size)
    return send_due(plan, ends, name, jobs)


def send_due(plan: Plan, ends: Connection[Any], name: str, jobs: int) -> float:
    """Run a pipeline's due jobs with a waiting worker; return the seconds, including planning."""
    run_id = system.start(plan, name)
    started = time.perf_counter()
    plan.call("enqueue_step", p_pipeline=name, p_run_id=run_id, p_step="work")
    seconds = system.wait_for_end(ends, system.id_of(plan, name, run_id)) - started
    system.finish(plan, name, run_id, jobs)
    return seconds
