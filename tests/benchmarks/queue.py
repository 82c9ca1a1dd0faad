"""Benchmark 1, the queue: jobs without a call, each of which inserts a row, on every side.

Our side also keeps state, details, quota and counters. "Plan and enqueue" is compared with `pgmq.send_batch` inside
SQL; "drain" with reading from pgmq, inserting the same row and deleting, in transactions of 200. Both baselines use
one message per job. Drain is measured twice: with a worker process, from sending its chunks to the notification of
the step's end, and as a bare SQL loop. Chunks of a single job are compared with a job table whose rows are taken one
by one with SKIP LOCKED.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from psycopg import Connection
from psycopg.rows import DictRow, tuple_row

from headgate.database import connect
from headgate.settings import Settings
from headgate.worker import arrays
from tests.benchmarks import system
from tests.benchmarks.measure import Figure, per_second, ratio, take_turns
from tests.plan import Plan

BATCH: Final = 200
GOAL_PLAN: Final = 0.5
GOAL_DRAIN: Final = {50: 1.0, 200: 1.4}
"""Goals by chunk size. Each chunk is one commit; the baseline commits once per 200 jobs."""
GOAL_SINGLES: Final = 0.5
QUOTA: Final = {"quota": 100_000_000, "base_url": "http://127.0.0.1:9"}
ROWS: Final = """
    create table public.left_rows (asset_id bigint primary key, at timestamptz not null default clock_timestamp());
    create function public.leave_rows(p_context jsonb, p_asset_ids bigint[], p_payloads text[])
    returns setof headgate.ingest_result language sql volatile security definer
    set search_path = pg_catalog, pg_temp as $func$
        insert into public.left_rows (asset_id) select u.* from unnest(p_asset_ids) as u;
        select u.asset_id, 'success', 1, null::timestamptz, null::text from unnest(p_asset_ids) as u (asset_id);
    $func$;
"""
LOCAL: Final = "local_noop"
NOOP: Final = {"ingest_function": "public.leave_rows"}
JOBS: Final = """
    create table public.jobs (job_id bigint primary key generated always as identity, asset_id bigint not null);
"""
TAKE: Final = "select j.job_id, j.asset_id from public.jobs as j order by j.job_id limit 1 for update skip locked"


@dataclass(slots=True)
class Sides:
    """Jobs per second, turn by turn."""

    plan: list[float] = field(default_factory=list)
    drain: list[float] = field(default_factory=list)
    loop: list[float] = field(default_factory=list)
    raw_send: list[float] = field(default_factory=list)
    raw_drain: list[float] = field(default_factory=list)


def run(
    server: Settings, *, jobs: int = 20_000, singles: int = 2_000, runs: int = 5
) -> Iterator[Figure]:
    """Measure without and with a quota, in chunks of 50 and of 200, and chunks of a single job."""
    with system.own_database(server, "queue") as settings, connect(settings, "bench") as connection:
        plan = Plan(connection)
        arrays.register(connection)
        write_local_plan(plan, jobs)
        system.write_plan(
            plan, "quota_noop", provider=QUOTA, operation={"units": 1, "path": "/", **NOOP}
        )
        system.add_assets(plan, "quota_noop", jobs)
        plan.sql("select pgmq.create('raw')")
        for size in (50, 200):
            sides = _measure(settings, plan, LOCAL, size, jobs, runs, by_worker=True)
            yield from _figures(f"chunks of {size}", sides, size)
        # Jobs that cost units have calls: the loop reports them without making any.
        sides = _measure(settings, plan, "quota_noop", BATCH, jobs, runs, by_worker=False)
        yield from _figures(f"with a quota, chunks of {BATCH}", sides, BATCH)
        yield _singles(settings, plan, singles, runs)


def write_local_plan(plan: Plan, jobs: int) -> None:
    """Write the pipeline LOCAL, whose jobs make no call and leave a row each."""
    plan.sql(ROWS)
    system.write_plan(plan, LOCAL, operation=NOOP)
    plan.sql("alter function public.leave_rows set search_path = pg_catalog, pg_temp")
    system.add_assets(plan, LOCAL, jobs)


def _singles(settings: Settings, plan: Plan, jobs: int, runs: int) -> Figure:
    """Measure chunks of one job, by a worker, against jobs taken one by one with SKIP LOCKED."""
    system.write_plan(plan, "one_noop", operation=NOOP)
    system.add_assets(plan, "one_noop", jobs)
    plan.sql(JOBS)
    sides = Sides()
    with system.listening(settings) as ends:
        take_turns(
            runs,
            lambda: work(settings, plan, ends, sides, "one_noop", 1, jobs),
            lambda: sides.raw_drain.append(jobs / _drain_one_by_one(plan, jobs)),
        )
    return Figure(
        "queue: drain by a worker, chunks of 1",
        ratio(sides.drain, sides.raw_drain),
        at_least=GOAL_SINGLES,
        detail=f"{per_second('ours', sides.drain)}, "
        + per_second("SKIP LOCKED one by one", sides.raw_drain),
    )


def _measure(
    settings: Settings, plan: Plan, name: str, size: int, jobs: int, runs: int, *, by_worker: bool
) -> Sides:
    sides = Sides()
    with system.listening(settings) as ends:

        def ours() -> None:
            work(settings, plan, ends, sides, name, size, jobs)

        def loop() -> None:
            run_id = _begin(plan, name, size)
            sides.plan.append(jobs / _enqueue(plan, name, run_id))
            sides.loop.append(jobs / _drain(plan, jobs))
            system.wait_for_end(ends, system.id_of(plan, name, run_id))
            _finish(plan, name, run_id, jobs)

        def raw() -> None:
            for _ in range(1 + by_worker):  # as often as ours is planned
                plan.sql("select pgmq.purge_queue('raw')")
                sides.raw_send.append(jobs / _send_raw(plan, jobs))
            plan.sql("truncate public.left_rows")
            sides.raw_drain.append(jobs / _drain_raw(plan, jobs))

        take_turns(runs, *([ours] if by_worker else []), raw, loop)
    return sides


def work(
    settings: Settings,
    plan: Plan,
    ends: Connection[DictRow],
    sides: Sides,
    name: str,
    size: int,
    jobs: int,
) -> None:
    """Let a worker process drain a run in chunks of this size."""
    run_id = _begin(plan, name, size)
    with system.worker(settings):
        sides.plan.append(jobs / _enqueue(plan, name, run_id))
        started = time.perf_counter()
        sides.drain.append(
            jobs / (system.wait_for_end(ends, system.id_of(plan, name, run_id)) - started)
        )
    _finish(plan, name, run_id, jobs)


def _figures(what: str, sides: Sides, size: int) -> Iterator[Figure]:
    raw_send = per_second("pgmq.send_batch", sides.raw_send)
    raw_drain = per_second("pgmq read+insert+delete", sides.raw_drain)
    yield Figure(
        f"queue: plan+enqueue, {what}",
        ratio(sides.plan, sides.raw_send),
        at_least=GOAL_PLAN,
        detail=f"{per_second('ours', sides.plan)}, {raw_send}",
    )
    if sides.drain:
        yield Figure(
            f"queue: drain by a worker, {what}",
            ratio(sides.drain, sides.raw_drain),
            at_least=GOAL_DRAIN[size],
            detail=f"{per_second('ours', sides.drain)}, {raw_drain}",
        )
    yield Figure(
        f"queue: drain by a SQL loop, {what}",
        ratio(sides.loop, sides.raw_drain),
        detail=f"{per_second('ours', sides.loop)}, {raw_drain}",
    )


def _begin(plan: Plan, name: str, size: int) -> str:
    """Make all jobs due and no row left; return the run id."""
    system.make_due(plan, name, size)
    plan.sql("truncate public.left_rows")
    return system.start(plan, name)


def _finish(plan: Plan, name: str, run_id: str, jobs: int) -> None:
    """End the run; each of its jobs must have left its row."""
    system.finish(plan, name, run_id, jobs)
    assert plan.scalar("select count(distinct asset_id) from public.left_rows") == jobs


def _enqueue(plan: Plan, name: str, run_id: str) -> float:
    """Plan and enqueue; return the seconds that took."""
    started = time.perf_counter()
    plan.call("enqueue_step", p_pipeline=name, p_run_id=run_id, p_step="work")
    return time.perf_counter() - started


def _drain(plan: Plan, jobs: int) -> float:
    """Claim and complete in a loop, one connection, one chunk at a time."""
    complete = (
        "select chunk_id, lease_no, asset_ids from headgate.complete_jobs("
        "p_runner => 'loop', p_chunk_id => %s::bigint, p_lease_no => %s::integer,"
        " p_asset_ids => %s, p_outcomes => %s, p_claim => 1)"
    )
    done = 0
    started = time.perf_counter()
    with plan.connection.cursor(row_factory=tuple_row, binary=True) as cursor:
        cursor.execute("select chunk_id, lease_no, asset_ids from headgate.claim_jobs('loop')")
        while (row := cursor.fetchone()) is not None and row[0] is not None:
            chunk_id, lease_no, asset_ids = row
            outcomes = arrays.same_texts("success", len(asset_ids))
            arguments = (chunk_id, lease_no, arrays.bigints(asset_ids), outcomes)
            cursor.execute(complete, arguments, prepare=True)
            done += len(asset_ids)
    assert done == jobs, f"{done} of {jobs} jobs were drained"
    return time.perf_counter() - started


def _send_raw(plan: Plan, jobs: int) -> float:
    started = time.perf_counter()
    plan.sql(
        "select count(*) from pgmq.send_batch('raw', (select array_agg(jsonb_build_object('id', n))"
        " from generate_series(1, %(jobs)s) as n))",
        jobs=jobs,
    )
    return time.perf_counter() - started


def _drain_raw(plan: Plan, jobs: int) -> float:
    read = "select msg_id, (message ->> 'id')::bigint from pgmq.read('raw', 60, %s)"
    insert = "insert into public.left_rows (asset_id) select u.* from unnest(%s) as u"
    delete = "select count(*) from pgmq.delete('raw', %s)"
    done = 0
    started = time.perf_counter()
    with plan.connection.cursor(row_factory=tuple_row, binary=True) as cursor:
        while done < jobs:
            with plan.connection.transaction():
                cursor.execute(read, (BATCH,), prepare=True)
                msg_ids, ids = map(list, zip(*cursor, strict=True))
                cursor.execute(insert, (arrays.bigints(ids),), prepare=True)
                cursor.execute(delete, (arrays.bigints(msg_ids),), prepare=True)
            done += len(msg_ids)
    assert plan.scalar("select count(*) from public.left_rows") == jobs
    return time.perf_counter() - started


def _drain_one_by_one(plan: Plan, jobs: int) -> float:
    """Take a job, leave its row and delete it, each in a transaction of its own."""
    plan.sql("truncate public.left_rows, public.jobs")
    plan.sql(
        "insert into public.jobs (asset_id) select n from generate_series(1, %(jobs)s) as n",
        jobs=jobs,
    )
    plan.sql("vacuum analyze public.jobs")
    insert = "insert into public.left_rows (asset_id) values (%s)"
    delete = "delete from public.jobs as j where j.job_id = %s"
    done = 0
    started = time.perf_counter()
    with plan.connection.cursor(row_factory=tuple_row, binary=True) as cursor:
        while done < jobs:
            with plan.connection.transaction():
                cursor.execute(TAKE, prepare=True)
                ((job_id, asset_id),) = cursor
                cursor.execute(insert, (asset_id,), prepare=True)
                cursor.execute(delete, (job_id,), prepare=True)
            done += 1
    assert plan.scalar("select count(*) from public.left_rows") == jobs
    return time.perf_counter() - started
