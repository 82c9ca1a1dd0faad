"""10, 50 and 200 pipelines at once: does the time of each grow with the number of the others?

Each pipeline has three steps of one call, one after the other, to a stand-in that answers at once; ten pipelines share
a provider, and two runners work all off. Then, with nothing left to do, it is what an idle runner asks and what people
and Prometheus read.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final, LiteralString

from psycopg import Connection
from psycopg.rows import DictRow

from headgate.database import READER, connect, dsn_of
from headgate.metrics import render
from headgate.settings import Settings
from tests.benchmarks import system, web
from tests.benchmarks.measure import Figure, scaling_line
from tests.benchmarks.provider import provider
from tests.benchmarks.scale import server as postgres
from tests.limits import wait_until
from tests.plan import Plan
from tests.servers import DB

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
MAX_PAGE_MS: Final = 100.0
MAX_SERIES: Final = 200.0
RUNS: Final = 2_000
"""Of the history of each pipeline: three months of one an hour."""
STARTING: Final = "starting a run, processor time"
STARTS: Final = 50
"""At least so many are timed."""
OVERVIEW: Final = "the page of the overview"
SERIES: Final = "series of a pipeline in `/metrics`"
TIMES: Final = 5

ENDED: Final[LiteralString] = """
    insert into headgate.process_executions (pipeline_id, run_id, driver, status, started_at, finished_at, planned, succeeded)
    select p.pipeline_id, 'hour-' || n, 'headgate', 'succeeded', t.at, t.at + interval '5 minutes', 3, 3
    from headgate.pipelines as p
    cross join generate_series(1, %(runs)s) as n
    cross join lateral (select headgate.clock() - n * interval '1 hour' as at) as t
    where p.name like 'many_%%'
    order by n desc
    on conflict do nothing
"""

Times = dict[str, float]
"""Milliseconds by what was done."""


def run(server: Settings, *, sizes: Sequence[int] = SIZES) -> Iterator[Figure]:
    """Declare and run more and more pipelines."""
    turns: dict[int, Times] = {}
    readings: dict[int, Times] = {}
    with (
        provider() as base_url,
        system.own_database(server, "pipelines") as settings,
        connect(settings, "bench") as connection,
    ):
        for size in sizes:
            turns[size] = _turn(settings, Plan(connection), base_url, size)
            readings[size] = _reading(settings, connection, size)
    for name in turns[sizes[0]]:
        times = [turns[x][name] for x in sizes]
        yield Figure(
            f"scale: {name}, {sizes[-1]} pipelines against {sizes[0]}",
            times[-1] / times[0],
            at_most=MAX_GROWTH,
            detail=", ".join(f"{x:.1f} ms" for x in times),
            line=scaling_line(name, *times),
        )
    for name in readings[sizes[0]]:
        values = [readings[x][name] for x in sizes]
        is_series = name == SERIES
        yield Figure(
            f"scale: {name}, {sizes[-1]} pipelines",
            values[-1],
            unit="series" if is_series else "ms",
            at_most=MAX_SERIES if is_series else MAX_PAGE_MS if name == OVERVIEW else None,
            line=scaling_line(name, *values),
        )


def _turn(settings: Settings, plan: Plan, base_url: str, size: int) -> Times:
    """Declare so many pipelines, and run all at once."""
    names = [_name(n) for n in range(size)]
    began = time.perf_counter()
    _declare(plan, base_url, names)
    declared = time.perf_counter() - began
    plan.sql("vacuum analyze")
    starting = _starting(plan, names)
    with (
        postgres.logged(settings) as times,
        system.workers(settings, RUNNERS, concurrency=IN_FLIGHT),
    ):
        before = postgres.cpu_seconds(settings)
        began = time.perf_counter()
        for name in names:
            plan.call("run_pipeline", p_pipeline=name)
        wait_until(lambda: _have_ended(plan), f"the end of {size} runs")
        done = time.perf_counter() - began
        used = postgres.cpu_seconds(settings) - before
    of_each = {
        "declaring a pipeline": declared,
        STARTING: starting,
        "a run, from the first start to the last end, divided by the runs": done,
        "PostgreSQL's processor time of a run": used,
    }
    return {x: 1000 * y / size for x, y in of_each.items()} | {
        f"a call of `{x}`": statistics.median(times[x]) for x in CALLED
    }


def _starting(plan: Plan, names: Sequence[str]) -> float:
    """Start all pipelines, without runners that would compete for the processors; return the session's seconds."""
    pid = plan.scalar("select pg_backend_pid()")
    rounds = -(-STARTS // len(names))
    used = 0.0
    for _ in range(rounds):
        before = postgres.session_seconds(pid)
        for name in names:
            plan.call("run_pipeline", p_pipeline=name)
        used += postgres.session_seconds(pid) - before
        _cancel_all(plan)
    return used / rounds


def _reading(settings: Settings, connection: Connection[DictRow], size: int) -> Times:
    """Start all pipelines again without a runner, and time what is asked and read while all of them wait."""
    plan = Plan(connection)
    for nth in range(size):
        plan.call("run_pipeline", p_pipeline=_name(nth))
        plan.advance()
    plan.sql(ENDED, runs=RUNS)
    plan.sql("analyze headgate.process_executions")
    times = {
        "a heartbeat": _fastest(partial(system.beat, connection)),
        "a call of `advance_executions` with nothing to do": _fastest(plan.advance),
        "`headgate pipelines`": _fastest(partial(_list_pipelines, settings), 1),
    }
    with web.served(settings) as (address, _):
        paths = {OVERVIEW: web.PAGES["overview"], "a scrape of `/metrics`": web.PAGES["metrics"]}
        times |= asyncio.run(web.fastest(connection, address, paths, TIMES))
    with connect(settings, "bench", role=READER) as reader:
        _, text = render(reader)
    series = sum(not x.startswith(b"#") for x in text.splitlines())
    times[SERIES] = series / plan.scalar("select count(*) from headgate.v_pipelines")
    _cancel_all(plan)
    return times


def _cancel_all(plan: Plan) -> None:
    for row in plan.sql(
        "select pipeline, run_id from headgate.v_recent_executions where finished_at is null"
    ):
        plan.call("cancel_execution", p_pipeline=row["pipeline"], p_run_id=row["run_id"])


def _fastest(what: Callable[[], object], calls: int = TIMES) -> float:
    """Return the milliseconds of the fastest of some calls."""
    times = []
    for _ in range(calls):
        began = time.perf_counter()
        what()
        times.append(1000 * (time.perf_counter() - began))
    return min(times)


def _list_pipelines(settings: Settings) -> None:
    subprocess.run(
        [sys.executable, "-m", "headgate", "pipelines"],
        env={**os.environ, "HEADGATE_DSN": dsn_of(settings), "HEADGATE_DB": str(settings.db)},
        cwd=DB.parent,
        stdout=subprocess.DEVNULL,
        check=True,
    )


def _name(nth: int) -> str:
    return f"many_{nth:03}"


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
