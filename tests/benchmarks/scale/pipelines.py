"""10, 50 and 200 pipelines at once: does the time of each grow with the number of the others?

Each pipeline has three steps of one call, one after the other, to a stand-in that answers at once; ten pipelines share
a provider, and two runners work all off.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from typing import Final

from headgate.database import connect
from headgate.settings import Settings
from tests.benchmarks import system
from tests.benchmarks.measure import Figure
from tests.benchmarks.provider import provider
from tests.benchmarks.scale import server as postgres
from tests.limits import wait_until
from tests.plan import Plan

PLAN: Final = "many"
SIZES: Final = (10, 50, 200)
STEPS: Final = ("one", "two", "three")
SHARING: Final = 10
"""Pipelines of one provider."""
RUNNERS: Final = 2
IN_FLIGHT: Final = 20
MAX_GROWTH: Final = 1.5
"""Of the time of one pipeline, at the most pipelines against the fewest."""
CALLED: Final = ("advance_executions", "claim_jobs", "complete_jobs")


Times = dict[str, float]
"""Milliseconds by what was done."""


def run(server: Settings, *, sizes: Sequence[int] = SIZES) -> Iterator[Figure]:
    """Declare and run more and more pipelines."""
    turns: dict[int, Times] = {}
    with (
        provider() as base_url,
        system.own_database(server, "pipelines") as settings,
        connect(settings, "bench") as connection,
    ):
        for size in sizes:
            turns[size] = _turn(settings, Plan(connection), base_url, size)
    for name in turns[sizes[0]]:
        times = [turns[x][name] for x in sizes]
        yield Figure(
            f"scale: {name}, {sizes[-1]} pipelines against {sizes[0]}",
            times[-1] / times[0],
            at_most=MAX_GROWTH,
            detail=", ".join(f"{x:.1f} ms" for x in times),
        )


def _turn(settings: Settings, plan: Plan, base_url: str, size: int) -> Times:
    """Declare so many pipelines, and run all at once."""
    names = [f"many_{n:03}" for n in range(size)]
    began = time.perf_counter()
    _declare(plan, base_url, names)
    declared = time.perf_counter() - began
    plan.sql("vacuum analyze")
    with (
        postgres.logged(settings) as times,
        system.workers(settings, RUNNERS, concurrency=IN_FLIGHT),
    ):
        before = postgres.cpu_seconds(settings)
        began = time.perf_counter()
        for name in names:
            plan.call("run_pipeline", p_pipeline=name)
        sent = time.perf_counter() - began
        wait_until(lambda: _have_ended(plan), f"the end of {size} runs")
        done = time.perf_counter() - began
        used = postgres.cpu_seconds(settings) - before
    of_each = {
        "declaring a pipeline": declared,
        "starting a run": sent,
        "a run, from the first start to the last end": done,
        "PostgreSQL's processor time of a run": used,
    }
    return {x: 1000 * y / size for x, y in of_each.items()} | {
        f"a call of {x}": statistics.median(times[x]) for x in CALLED
    }


def _declare(plan: Plan, base_url: str, names: Sequence[str]) -> None:
    with plan.connection.transaction():
        plan.sql("select headgate.begin_plan(%(plan)s)", plan=PLAN)
        for nth, name in enumerate(names):
            provider_name = f"many_{nth // SHARING}"
            if nth % SHARING == 0:
                plan.sql("select headgate.put_provider(%(x)s, %(y)s)", x=provider_name, y=base_url)
            plan.sql("select headgate.put_pipeline(%(name)s)", name=name)
            before: list[str] = []
            for step in STEPS:
                plan.sql(
                    "select headgate.put_step(%(name)s, %(step)s, request => 'GET /' || %(step)s,"
                    " provider => %(provider)s, depends_on => %(before)s)",
                    name=name,
                    step=step,
                    provider=provider_name,
                    before=before,
                )
                before = [step]
        plan.sql("select headgate.end_plan()")


def _have_ended(plan: Plan) -> bool:
    """Return whether no run is open; none may have failed."""
    (found,) = plan.sql(
        "select count(*) filter (where e.status = 'running') as running,"
        " count(*) filter (where e.status = 'failed') as failed"
        " from headgate.process_executions as e"
    )
    assert found["failed"] == 0, found
    return bool(found["running"] == 0)
