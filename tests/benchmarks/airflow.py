"""Benchmark, Airflow: the same 500 jobs as mapped tasks, as one step, and as a loop in one task.

It also measures the overhead of a step of one call, from the end of the task before it to its own end,
less the service's own time, and that of a bare task that makes the same call.

All of Airflow runs as with `make airflow`, with one runner. The provider answers after 100 ms, which is
fast for a service on the internet. A run's time is Airflow's own, from its start to its end.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Final, LiteralString

import httpx2
import psutil

from headgate.database import connect
from headgate.settings import Settings
from tests.airflow.stack import Airflow, environ_of, start, stopped_at_the_end
from tests.benchmarks import system
from tests.benchmarks.jobs import write_calls
from tests.benchmarks.measure import Figure
from tests.benchmarks.provider import provider
from tests.limits import wait_until
from tests.plan import Plan
from tests.servers import free_port

DAGS: Final = Path(__file__).parent / "dags"
MAPPED, LOOP, STEP = "bench_mapped", "bench_loop", "bench_step"
CHAIN, BARE = "bench_chain", "bench_bare"
ALL: Final = (MAPPED, LOOP, STEP, CHAIN, BARE)
SECONDS: Final = 3600.0
GOAL: Final = 1.5
"""Maximum overhead of a step of one call, in s, beyond its service's own time."""
DELAY: Final = 0.1
CHUNK: Final = 50
CALLS: Final = 10
"""Number of calls in dags/one_call.py, unless Airflow's variable BENCH_CALLS says otherwise."""
WRITTEN: Final = (
    "select tup_inserted + tup_updated + tup_deleted as rows"
    " from pg_stat_database where datname = 'airflow'"
)


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of running the jobs in one way."""

    wall: float
    cpu: float
    rows: int

    def __str__(self) -> str:
        return f"{self.wall:.1f} s, {self.cpu:.1f} s of CPU, {self.rows:,} rows"


def run(server: Settings, *, jobs: int = 500) -> Iterator[Figure]:
    """Start everything and measure."""
    with system.own_database(server, "airflow") as settings, provider(DELAY) as base_url:
        environ, port = environ_of(settings, DAGS), free_port()
        process = start(settings, environ, port, "--runners=1")
        airflow = Airflow(settings=settings, process=process, port=port, environ=environ)
        with stopped_at_the_end(airflow):
            airflow.wait_until_healthy()
            yield from measure_steps(airflow, base_url)
            yield from measure(airflow, base_url, jobs)


def measure(airflow: Airflow, base_url: str, jobs: int, settle: float = 2) -> Iterator[Figure]:
    """Run the jobs in the three ways on the running stack; pause in between, to count rows written."""
    with connect(airflow.settings, "bench") as connection:
        plan = Plan(connection)
        write_calls(plan, STEP, base_url)
        system.add_assets(plan, STEP, jobs)
        system.make_due(plan, STEP, CHUNK)
        plan.sql("create table public.answers (code text, bars int)")
        plan.sql("grant insert on public.answers to headgate_planner")
        given = {"jobs": jobs, "base_url": base_url}
        loop = _cost(airflow, plan, LOOP, given, settle)
        step = _cost(airflow, plan, STEP, {}, settle)
        mapped = _cost(airflow, plan, MAPPED, given, settle)
        assert plan.scalar("select count(*) from public.answers") == 2 * jobs
        done = plan.scalar(
            "select succeeded from headgate.v_recent_executions where pipeline = %(name)s",
            name=STEP,
        )
        assert done == jobs, f"{done} of {jobs} jobs succeeded"
    said = f"step {step}; mapped {mapped}; loop {loop}"
    named = f"airflow: {jobs} jobs, RunStep against"
    yield Figure(f"{named} mapped tasks", mapped.wall / step.wall, at_least=20, detail=said)
    yield Figure(f"{named} a loop in one task", loop.wall / step.wall, at_least=5)
    yield Figure(f"{named} mapped tasks, CPU", mapped.cpu / step.cpu)
    yield Figure(f"{named} mapped tasks, metadata rows", mapped.rows / max(1, step.rows))


STEP_OF_CHAIN: LiteralString = """
select headgate.put_step('bench_chain', 'step_' || %(n)s::text, provider => 'bench_chain',
    request => 'GET /step_' || %(n)s::text,
    depends_on => case when %(n)s > 0 then array['step_' || (%(n)s - 1)::text] else '{}' end)
"""


def measure_steps(
    airflow: Airflow, base_url: str, runs: int = 3, calls: int = CALLS
) -> Iterator[Figure]:
    """Run chains of calls in turns, on the running stack."""
    with connect(airflow.settings, "bench") as connection, connection.transaction():
        plan = Plan(connection)
        plan.sql("select headgate.begin_plan('bench_chain')")
        plan.sql("select headgate.put_provider('bench_chain', %(url)s)", url=base_url)
        plan.sql("select headgate.put_pipeline('bench_chain')")
        for n in range(calls):
            plan.sql(STEP_OF_CHAIN, n=n)
        plan.sql("select headgate.end_plan()")
    ours: list[float] = []
    bare: list[float] = []
    for _ in range(runs):
        run = _run(airflow, CHAIN, {})
        execution = airflow.execution(CHAIN, run)
        assert (execution["status"], execution["succeeded"]) == ("succeeded", calls), execution
        ours += _taken(airflow, CHAIN, run, calls)
        bare += _taken(airflow, BARE, _run(airflow, BARE, {"base_url": base_url}), calls)
    own = statistics.median(_call(base_url) for _ in range(calls))
    step, task = statistics.median(ours), statistics.median(bare)
    said = f"median of {len(ours)}: {step:.2f} s, a bare task {task:.2f} s, the call {own:.2f} s"
    named = "airflow: a step of one call, beside"
    yield Figure(f"{named} the service's time", step - own, "s", at_most=GOAL, detail=said)
    yield Figure(f"{named} a bare task with it", step / task)


def _taken(airflow: Airflow, dag: str, run: str, calls: int) -> list[float]:
    """Return the seconds from the end of each call's task to the end of the next."""
    tasks = airflow.tasks(dag, run)
    ends = [datetime.fromisoformat(tasks[f"step_{n}"]["end_date"]) for n in range(calls)]
    return [(after - before).total_seconds() for before, after in pairwise(ends)]


def _call(base_url: str) -> float:
    """Make the bare call; return its seconds."""
    began = time.perf_counter()
    httpx2.get(f"{base_url}/step_0", trust_env=False).raise_for_status()
    return time.perf_counter() - began


def _run(airflow: Airflow, dag: str, conf: dict[str, object]) -> str:
    """Run a DAG, which must succeed; return the run id."""
    wait_until(lambda: airflow.client.get(f"dags/{dag}").is_success, dag)
    run = airflow.trigger(dag, conf)
    wait_until(lambda: airflow.runs(dag).get(run) in ("success", "failed"), dag, SECONDS)
    assert airflow.runs(dag)[run] == "success", f"{dag} has failed: {airflow.tasks(dag, run)}"
    return run


def _cost(airflow: Airflow, plan: Plan, dag: str, conf: dict[str, object], settle: float) -> Cost:
    """Run a DAG; return its cost in all of Airflow's processes, the runner and Postgres."""
    wait_until(lambda: airflow.client.get(f"dags/{dag}").is_success, dag)
    time.sleep(settle)
    rows, cpu = plan.scalar(WRITTEN), _cpu(airflow)
    run = _run(airflow, dag, conf)
    used = _cpu(airflow) - cpu
    time.sleep(settle)
    return Cost(airflow.seconds(dag, run), used, plan.scalar(WRITTEN) - rows)


def _cpu(airflow: Airflow) -> float:
    """Return the CPU time so far of all processes, including ended children."""
    pid_file = airflow.settings.home / "postgres" / "postmaster.pid"
    postgres = int(pid_file.read_text().split("\n", 1)[0])
    total = 0.0
    for root in (psutil.Process(airflow.process.pid), psutil.Process(postgres)):
        for process in (root, *root.children(recursive=True)):
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue  # counted in its parent's children time
            total += times.user + times.system + times.children_user + times.children_system
    return total
