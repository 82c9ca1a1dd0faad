"""What a job costs PostgreSQL, beside the same job on pgmq alone and on graphile-worker, and what runners then wait for.

Each job leaves a row; from being sent to its end it is counted in bytes of WAL, commits, rows written and processor
time. Ours also keeps state, history and counters.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final, LiteralString

from headgate.database import connect
from headgate.settings import Settings
from headgate.worker import arrays
from tests.benchmarks import queue, system
from tests.benchmarks.measure import Figure
from tests.benchmarks.rivals import graphile
from tests.benchmarks.scale import server as postgres
from tests.plan import Plan

CHUNKS: Final = (1, 50, 200)
RUNNERS: Final = 4
"""More than two cores can serve, so that they wait for what is short."""
BATCH: Final = queue.BATCH
WRITTEN: LiteralString = """
    select
        pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::double precision as wal,
        d.xact_commit as commits,
        d.tup_inserted + d.tup_updated + d.tup_deleted as rows
    from pg_stat_database as d
    where d.datname = current_database()
"""
WAITS: LiteralString = """
    select coalesce(a.wait_event_type, 'processor') as wait
    from pg_stat_activity as a
    where a.datname = current_database()
        and a.state = 'active'
        and a.application_name like 'headgate worker%'
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one job."""

    wal: float
    commits: float
    rows: float
    cpu_us: float
    rate: float
    """Jobs a second, from sending to the last end."""

    def __str__(self) -> str:
        return (
            f"{self.wal:,.0f} bytes of WAL, {self.commits:.3f} commits, {self.rows:.1f} rows,"
            f" {self.cpu_us:.0f} us of PostgreSQL's processors, {self.rate:,.0f} jobs/s"
        )


def run(server: Settings, *, jobs: int = 20_000, singles: int = 2_000) -> Iterator[Figure]:
    """Measure ours in chunks of 1, 50 and 200, pgmq in batches, and graphile-worker where it is installed."""
    with system.own_database(server, "cost") as settings, connect(settings, "bench") as connection:
        plan = Plan(connection)
        arrays.register(connection)
        queue.write_local_plan(plan, jobs)
        plan.sql("select pgmq.create('raw')")
        ours = {
            x: _of(settings, singles if x == 1 else jobs, partial(_work_off, settings, plan, x))
            for x in CHUNKS
        }
        peers = {f"pgmq alone, batches of {BATCH}": _of(settings, jobs, partial(_raw, plan))}
        if graphile.is_installed():
            peers["graphile-worker"] = _of(settings, jobs, partial(_graphile, settings, plan))
        for size, cost in ours.items():
            yield Figure(
                f"scale: WAL of a job, chunks of {size}", cost.wal, "bytes", detail=str(cost)
            )
        for name, cost in peers.items():
            yield Figure(
                f"scale: WAL of a job in chunks of {CHUNKS[-1]} against {name}",
                ours[CHUNKS[-1]].wal / cost.wal,
                detail=str(cost),
            )
        yield from _waits(settings, plan, jobs)


def _of(settings: Settings, jobs: int, work: Callable[[int], float]) -> Cost:
    """Let the jobs be done, which says how many seconds it took; return what one has cost."""
    with connect(settings, "bench") as connection:
        plan = Plan(connection)
        (before,) = plan.sql(WRITTEN)
        used = postgres.cpu_seconds(settings)
        seconds = work(jobs)
        used = postgres.cpu_seconds(settings) - used
    with connect(settings, "bench") as connection:  # one that has not read these figures before
        (after,) = Plan(connection).sql(WRITTEN)
    wal, commits, rows = (float(after[x] - before[x]) / jobs for x in ("wal", "commits", "rows"))
    return Cost(wal, commits, rows, 1e6 * used / jobs, jobs / seconds)


def _work_off(settings: Settings, plan: Plan, size: int, jobs: int) -> float:
    """Let a runner work off a run; its sessions have ended when this returns."""
    run_id = _begin(plan, size, jobs)
    with system.listening(settings) as ends, system.worker(settings):
        began = time.perf_counter()
        plan.call("enqueue_step", p_pipeline=queue.LOCAL, p_run_id=run_id, p_step="work")
        seconds = system.wait_for_end(ends, system.id_of(plan, queue.LOCAL, run_id)) - began
    system.finish(plan, queue.LOCAL, run_id, jobs)
    _flush(plan)
    return seconds


def _begin(plan: Plan, size: int, jobs: int) -> str:
    """Make so many jobs due and no row left; return the run id."""
    plan.sql("truncate public.left_rows")
    system.make_due(plan, queue.LOCAL, size)
    plan.sql(
        "update headgate.asset_processing_state as s set next_due_at = null where s.asset_id in ("
        "select a.asset_id from headgate.assets as a where a.universe = %(name)s"
        " order by a.asset_id offset %(jobs)s)",
        name=queue.LOCAL,
        jobs=jobs,
    )
    return system.start(plan, queue.LOCAL)


def _raw(plan: Plan, jobs: int) -> float:
    plan.sql("truncate public.left_rows")
    seconds = queue._send_raw(plan, jobs) + queue._drain_raw(plan, jobs)
    _flush(plan)
    return seconds


def _graphile(settings: Settings, plan: Plan, jobs: int) -> float:
    plan.sql("truncate public.left_rows")
    return graphile._work_off(settings, graphile.FOLDER, jobs, graphile.CONCURRENCIES[-1])


def _flush(plan: Plan) -> None:
    plan.sql("select pg_stat_force_next_flush()")


def _waits(settings: Settings, plan: Plan, jobs: int) -> Iterator[Figure]:
    """Look at what the sessions of several runners wait for, while they have more to do than two cores can."""
    run_id = _begin(plan, CHUNKS[1], jobs)
    waits: Counter[str] = Counter()
    with system.workers(settings, RUNNERS):
        plan.call("enqueue_step", p_pipeline=queue.LOCAL, p_run_id=run_id, p_step="work")
        while (
            plan.row("step_status", p_pipeline=queue.LOCAL, p_run_id=run_id, p_step="work")[
                "status"
            ]
            == "running"
        ):
            waits.update(x["wait"] for x in plan.sql(WAITS))
            time.sleep(0.005)
    system.finish(plan, queue.LOCAL, run_id, jobs)
    shown = ", ".join(f"{x} {y / waits.total():.0%}" for x, y in waits.most_common())
    yield Figure(
        f"scale: sessions of {RUNNERS} runners that wait for no lock",
        1 - (waits["Lock"] + waits["LWLock"]) / max(1, waits.total()),
        detail=shown,
    )
