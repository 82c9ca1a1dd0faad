"""Benchmark: consecutive steps of one call each, run by one worker.

It measures the overhead of a step: the time from its start to the next step's, less the time of the same call by a
bare client.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Final, LiteralString

import httpx2

from headgate.database import connect
from headgate.settings import Settings
from tests.benchmarks import system
from tests.benchmarks.measure import Figure
from tests.benchmarks.provider import provider
from tests.limits import wait_until
from tests.plan import Plan

NAME: Final = "chain"
GOAL_MS: Final = 30.0
SERVICE_SECONDS: Final = 0.02
STEP: LiteralString = """
select headgate.put_step('chain', %(step)s, request => 'GET /' || %(step)s, provider => 'chain',
    depends_on => %(depends_on)s)
"""
TAKEN: LiteralString = """
select 1000 * extract(epoch from coalesce(lead(s.started_at) over (order by s.position), e.finished_at)
    - s.started_at)::double precision as ms
from headgate.process_steps as s
join headgate.process_executions as e using (execution_id)
where e.run_id = %(run)s
"""


def run(server: Settings, *, steps: int = 10, runs: int = 10) -> Iterator[Figure]:
    """Measure each step of each run."""
    with (
        provider(SERVICE_SECONDS) as base_url,
        system.own_database(server, "steps") as settings,
        connect(settings, "bench") as connection,
    ):
        plan = Plan(connection)
        _declare(plan, base_url, steps)
        own = statistics.median(_call(base_url, steps * runs))
        with system.worker(settings):
            _run(plan)  # warms up query plans and connections
            taken = [x for _ in range(runs) for x in _run(plan)]
    middle = statistics.median(taken)
    yield Figure(
        "steps: a step of one call, beside the service's time",
        middle - own,
        "ms",
        at_most=GOAL_MS,
        detail=f"median of {len(taken)}: {middle:.1f} ms, of which the service's {own:.1f} ms",
    )


def _declare(plan: Plan, base_url: str, steps: int) -> None:
    with plan.connection.transaction():
        plan.sql("select headgate.begin_plan('chain')")
        plan.sql("select headgate.put_provider('chain', %(url)s)", url=base_url)
        plan.sql("select headgate.put_pipeline('chain')")
        before: list[str] = []
        for number in range(steps):
            step = f"step_{number}"
            plan.sql(STEP, step=step, depends_on=before)
            before = [step]
        plan.sql("select headgate.end_plan()")


def _run(plan: Plan) -> list[float]:
    """Run the pipeline with the worker; return the duration of each step, in ms."""
    run = plan.value("run_pipeline", p_pipeline=NAME)
    wait_until(lambda: _has_ended(plan, run), "the end of the run")
    taken = [x["ms"] for x in plan.sql(TAKEN, run=run)]
    assert plan.row("execution_status", p_pipeline=NAME, p_run_id=run)["succeeded"] == len(taken)
    return taken


def _has_ended(plan: Plan, run: str) -> bool:
    row = plan.row("execution_status", p_pipeline=NAME, p_run_id=run)
    assert row["status"] in ("running", "succeeded"), row
    return bool(row["status"] == "succeeded")


def _call(base_url: str, calls: int) -> Iterator[float]:
    """Make the calls one after the other; yield the duration of each, in ms."""
    with httpx2.Client(trust_env=False) as client:
        client.get(f"{base_url}/step_0")  # opens the connection
        for number in range(calls):
            began = time.perf_counter()
            client.get(f"{base_url}/step_{number}")
            yield 1000 * (time.perf_counter() - began)
