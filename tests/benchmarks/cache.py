"""The answer cache: requests that a runner looks up, with few and with many answers stored, and jobs that they end.

A look-up is all that takes the place of a call: keys of the requests, one statement for 200 of them, replies. The
runner has read the answers before (it holds them), or reads each from the table. No service listens at the provider's
address, so a request that was made would fail its run.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final

from headgate.database import aconnect, connect
from headgate.settings import Settings
from headgate.worker.answer_cache import AnswerCache, Shelf, keys_of
from headgate.worker.background import Background
from headgate.worker.calls import Reply
from headgate.worker.chunks import Call
from headgate.worker.connection_pool import ConnectionPool
from headgate.worker.leases import CallLease
from headgate.worker.queue import Queue
from tests.benchmarks import system
from tests.benchmarks.measure import Figure, per_second, ratio
from tests.benchmarks.queue import ROWS
from tests.plan import Plan

NAME: Final = "rates"
CHUNK: Final = 200
GOAL_HITS: Final = 20_000
GOAL_LARGE: Final = 1.5
FILL: Final = """
    insert into headgate.cached_answers (key, operation_id, payload, answer, bytes, answered_at, expires_at)
    select k.key, o.operation_id, repeat(md5(k.key), 16), '{"status": 200, "headers": {}}', 550,
        headgate.clock(), headgate.clock() + interval '1 day'
    from (
        select u.* from unnest(%(keys)s::text[]) as u
        union all
        select encode(sha256(n::text::bytea), 'hex') from generate_series(1, %(others)s) as n
    ) as k (key)
    cross join headgate.operations as o
    where o.name = 'rates'
"""


@dataclass(slots=True)
class Side:
    """A database with so many answers: its leases, and hits per second, turn by turn."""

    pool: ConnectionPool
    leases: list[CallLease]
    read: list[float] = field(default_factory=list)
    held: list[float] = field(default_factory=list)


def run(
    server: Settings,
    *,
    sizes: tuple[int, int] = (1_000, 1_000_000),
    jobs: int = 4_000,
    runs: int = 5,
) -> Iterator[Figure]:
    """Look up `jobs` requests in a table of each size, and let a worker end as many jobs."""
    small, large = sizes
    with ExitStack() as stack:
        databases = [
            stack.enter_context(system.own_database(server, f"cache_{size}")) for size in sizes
        ]
        plans = [Plan(stack.enter_context(connect(settings, "bench"))) for settings in databases]
        for plan in plans:
            _write_plan(plan, jobs)
        few, many = asyncio.run(_measure(databases, plans, sizes, runs))
        plans[1].sql("select * from headgate.finalize_execution('rates', 'looked-up')")
        with system.worker(databases[1]):
            ended = [jobs / _work_off(databases[1], plans[1], jobs) for _ in range(runs)]
    for what, rates in (("held by the runner", many.held), ("read from the table", many.read)):
        yield Figure(
            f"cache: hits looked up, {what}, {large:,} stored",
            sorted(rates)[len(rates) // 2],
            unit="/s",
            at_least=GOAL_HITS,
            detail=per_second("hits", rates),
        )
    yield Figure(
        f"cache: a look-up with {large:,} stored against {small:,}",
        ratio(few.read, many.read),
        at_most=GOAL_LARGE,
        detail=f"{per_second('few', few.read)}, {per_second('many', many.read)}",
    )
    yield Figure(
        "cache: jobs ended by a worker, all hits, from sending to the run's end",
        sorted(ended)[len(ended) // 2],
        unit="/s",
        detail=per_second("jobs", ended),
    )


def _write_plan(plan: Plan, jobs: int) -> None:
    plan.sql(ROWS)
    system.write_plan(
        plan,
        NAME,
        provider={"base_url": "http://127.0.0.1:9", "quota": 100_000_000},
        operation={
            "units": 1,
            "path": "/rates/{asset.code}",
            "cache": "1 day",
            "ingest_function": "public.leave_rows",
        },
    )
    system.add_assets(plan, NAME, jobs)
    plan.sql("update headgate.settings set value = '4000000000' where name = 'cache_bytes'")
    system.make_due(plan, NAME, CHUNK)
    plan.call("start_execution", p_pipeline=NAME, p_run_id="looked-up")
    plan.call("enqueue_step", p_pipeline=NAME, p_run_id="looked-up", p_step="work")


def _work_off(settings: Settings, plan: Plan, jobs: int) -> float:
    """Let the worker that is there end a run; return the seconds."""
    plan.sql("truncate public.left_rows")
    return system.work_off(settings, plan, NAME, CHUNK, jobs)


async def _measure(
    databases: list[Settings], plans: list[Plan], sizes: tuple[int, int], runs: int
) -> list[Side]:
    sides = [await _side(settings) for settings in databases]
    for side, plan, size in zip(sides, plans, sizes, strict=True):
        keys = [key for lease in side.leases for key in keys_of(lease).values()]
        plan.sql(FILL, keys=keys, others=max(0, size - len(keys)))
        plan.sql("vacuum analyze headgate.cached_answers")
    for turn in range(runs + 1):
        for side in sides:
            shelf = Shelf()
            rates = [await _look_up(side, shelf) for _ in range(2)]
            if turn:
                side.read.append(rates[0])
                side.held.append(rates[1])
    for side in sides:
        await side.pool.aclose()
    return sides


async def _side(settings: Settings) -> Side:
    """Claim all chunks of the run, as one runner with its two connections."""

    async def open_queue() -> Queue:
        return Queue(await aconnect(settings, "bench"), "bench")

    pool = ConnectionPool(open_queue, 2)
    leases: list[CallLease] = []
    while chunks := (await pool.run(lambda queue: queue.claim(20))).chunks:
        leases += [
            CallLease(chunk, 0.0, Call.from_row(chunk.call), chunk.urls or []) for chunk in chunks
        ]
    return Side(pool, leases)


async def _look_up(side: Side, shelf: Shelf) -> float:
    """Return hits per second of looking up all requests of the leases."""
    background, hits = Background(), 0

    def count(_: CallLease, replies: Mapping[int, Reply]) -> None:
        nonlocal hits
        hits += len(replies)

    cache = AnswerCache(side.pool, background, lambda _: None, shelf)
    started = time.perf_counter()
    for lease in side.leases:
        cache.begin(lease, count)
    await background.wait()
    seconds = time.perf_counter() - started
    assert hits == sum(len(lease.urls) for lease in side.leases)
    return hits / seconds
