"""Benchmark 6, indicators: listings per second and core, against pandas and against reading alone.

"End to end" is all that a run does: reading bars, computing indicators, and committing rows, state and
history once per chunk. It is measured per core in processor time of the server's processes, the worker and
its handlers, because two cores share the work. "Reading" is the processor time of a handler's input, on server
and client, for the same bars in the same run, before and after each end-to-end run: a machine's speed drifts.
"Compute" is the same code over bars in memory.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil

from headgate.database import aconnect, connect
from headgate.handlers.indicators.block import Block, make_block
from headgate.handlers.indicators.compute import compute
from headgate.handlers.input import read_chunk
from headgate.settings import Settings
from headgate.worker.queue import Queue
from tests.benchmarks import system
from tests.benchmarks.feeding import read_task
from tests.benchmarks.measure import Figure
from tests.benchmarks.naive import naive
from tests.plan import Plan
from tests.runner.handlers.indicators.bars import made_up

PIPELINE: Final = "calculate_indicators"
OPERATION: Final = "indicators_calculation"
CHUNK: Final = 250
COMPUTE_TIMES, WHOLE_TIMES, LEAST_OF_READING = 100.0, 40.0, 0.6
MAX_SECONDS, MAX_MB, MAX_MS = 15.0, 300.0, 20.0
TICK: Final = 0.01
"""Resolution of the kernel's processor time, in s."""

FILL = """
insert into equities.prices
select a.asset_id, d.date, b.close, b.close * 1.01, b.close * 0.99, b.close, b.close,
    1000 + 1000 * (d.nth * a.nth %% 977)
from (
    select v.asset_id, row_number() over (order by v.asset_id) as nth
    from headgate.v_assets as v where v.universe = 'equities' order by v.asset_id limit %(assets)s
) as a
cross join (
    select t::date as date, row_number() over (order by t) as nth
    from headgate.clock() as c (now)
    cross join generate_series(c.now::date - interval '9.9 years', c.now::date, '1 day') as t
    where extract(isodow from t) < 6 order by t desc limit %(bars)s
) as d
cross join lateral (
    select 50 + 20 * sin(d.nth * 0.01 + a.nth) + 3 * sin(d.nth * 1.7 * (1 + a.nth %% 13)) as close
) as b
order by a.asset_id, d.date
"""
SCREEN = """
select s.ticker, s.name, s.price_usd, s.rsi_14, s.roc_126
from equities.v_screener as s
where s.rsi_14 between 30 and 60 and s.from_high_52w > -30 and s.turnover_20 > 1e6
    and s.distance_sma_200 > 0 and s.currency = 'EUR'
order by s.roc_126 desc
limit 50
"""


def run(
    server: Settings,
    *,
    sizes: Sequence[tuple[int, int]] = ((250, 21_817), (1_000, 2_000), (2_500, 800)),
    runs: int = 5,
) -> Iterator[Figure]:
    """Measure each size, given as bars per listing and number of listings."""
    for bars, assets in sizes:
        with (
            system.own_database(server, "indicators") as settings,
            connect(settings, "bench") as connection,
        ):
            plan = Plan(connection)
            plan.sql(FILL, bars=bars, assets=assets)
            plan.sql("vacuum analyze")  # what migrate has left would be cleaned in a run
            yield from _compare(settings, plan, bars, assets, runs)
            if assets == max(x for _, x in sizes):
                yield _screen(plan)


def _compare(settings: Settings, plan: Plan, bars: int, assets: int, runs: int) -> Iterator[Figure]:
    pandas, alone = _naive_rate(bars, runs), _compute_rate(bars, runs)
    reading, ends = [asyncio.run(_reading_seconds(settings, plan, assets))], []
    for _ in range(runs):
        ends.append(_end_to_end(settings, plan, assets, processes=2))
        reading.append(asyncio.run(_reading_seconds(settings, plan, assets)))
    seconds, cpu, peaks = zip(*ends, strict=True)
    against_reading = statistics.median(
        statistics.mean(around) / end
        for around, end in zip(itertools.pairwise(reading), cpu, strict=True)
    )
    whole, read = assets / statistics.median(cpu), assets / statistics.median(reading)
    what = f"{bars:,} bars"
    rates = (
        f"pandas {pandas:.1f}/s, compute {alone:,.0f}/s, reading {read:,.0f}/s,"
        f" end to end {whole:,.0f}/s, per core"
    )
    yield Figure(
        f"indicators: compute against pandas, {what}",
        alone / pandas,
        at_least=COMPUTE_TIMES,
        detail=rates,
    )
    yield Figure(
        f"indicators: end to end against pandas, {what}",
        whole / pandas,
        at_least=WHOLE_TIMES,
        detail=rates,
    )
    yield Figure(
        f"indicators: end to end against reading alone, {what}",
        against_reading,
        at_least=LEAST_OF_READING,
        detail=rates,
    )
    yield Figure(
        f"indicators: {assets:,} listings of {what}, {len(os.sched_getaffinity(0))} cores",
        statistics.median(seconds),
        unit="s",
        at_most=MAX_SECONDS if assets > 20_000 else None,
        detail=f"{min(seconds):.1f} to {max(seconds):.1f}",
    )
    yield Figure(
        f"indicators: peak of a handler's process, {what}", max(peaks), unit="MB", at_most=MAX_MB
    )


def _naive_rate(bars: int, runs: int) -> float:
    """Return pandas' assets per second of processor time, one asset at a time."""
    histories = [made_up(bars, seed=seed) for seed in range(max(2, 2_000 // bars))]
    naive(histories[0])
    return max(_rate(lambda: [naive(x) for x in histories], len(histories)) for _ in range(runs))


def _compute_rate(bars: int, runs: int) -> float:
    """Return the assets per second of processor time of the compute alone, on one core."""
    block = _block(bars)
    compute(block)
    return max(
        _rate(lambda: [compute(_again(block)) for _ in range(8)], 8 * CHUNK) for _ in range(runs)
    )


async def _reading_seconds(settings: Settings, plan: Plan, assets: int) -> float:
    """Return the processor seconds, server and client, if bars are only read."""
    rows = plan.sql("select distinct p.asset_id from equities.prices as p order by p.asset_id")
    ids = [x["asset_id"] for x in rows]
    queue = Queue(await aconnect(settings, "bench"), "bench")
    try:
        reader = psutil.Process(queue.connection.info.backend_pid)
        before = _seconds_of(reader) + time.process_time()
        for start in range(0, assets, CHUNK):
            read_chunk(await read_task(queue, ids[start : start + CHUNK]))
        return max(TICK, _seconds_of(reader) + time.process_time() - before)
    finally:
        await queue.connection.close()


def _rate(work: Any, assets: int) -> float:
    started = time.process_time()
    work()
    return assets / max(TICK, time.process_time() - started)


def _block(bars: int) -> Block:
    random = np.random.default_rng(1)
    close = 50 * np.exp(random.normal(0, 0.02, (CHUNK, bars)).cumsum(axis=1))
    series = (close * 1.01, close * 0.99, close, random.integers(1, 10**6, close.shape) * 1.0)
    return make_block([bars] * CHUNK, [min(bars, 252)] * CHUNK, *(x.ravel() for x in series))


def _again(block: Block) -> Block:
    """Return a fresh copy of the block, without cached results."""
    flat = (x.ravel() for x in (block.high, block.low, block.close, block.volume))
    return make_block(block.lengths, block.bars_52w, *flat)


def _end_to_end(
    settings: Settings, plan: Plan, assets: int, processes: int
) -> tuple[float, float, float]:
    """Calculate all assets with bars; return seconds, processor seconds, and a handler's peak in MB."""
    system.make_due(plan, OPERATION, CHUNK)
    plan.sql(
        "update headgate.asset_processing_state as s set next_due_at = null"
        " from headgate.operations as o where o.operation_id = s.operation_id"
        " and o.name = %(name)s and not exists"
        " (select from equities.prices as p where p.asset_id = s.asset_id)",
        name=OPERATION,
    )
    run_id = system.start(plan, PIPELINE)
    with system.listening(settings) as ends, system.worker(settings, processes=processes) as worker:
        before = _processor_seconds(plan, worker.pid)
        started = time.perf_counter()
        plan.call("enqueue_step", p_pipeline=PIPELINE, p_run_id=run_id, p_step=PIPELINE)
        seconds = system.wait_for_end(ends, system.id_of(plan, PIPELINE, run_id)) - started
        cpu = _processor_seconds(plan, worker.pid) - before
        handlers = psutil.Process(worker.pid).children(recursive=True)
        peak = max(_megabytes(x.pid) for x in handlers)
    system.finish(plan, PIPELINE, run_id, assets)
    return seconds, max(TICK, cpu), peak


def _seconds_of(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _processor_seconds(plan: Plan, worker: int) -> float:
    """Return the processor seconds used so far by the server's processes, the worker and its children."""
    backend = plan.scalar("select pg_backend_pid()")
    roots = (psutil.Process(backend).parent(), psutil.Process(worker))
    total = 0.0
    for root in roots:
        assert root is not None
        for process in (root, *root.children(recursive=True)):
            times = process.cpu_times()
            total += times.user + times.system
            if process == root:
                total += times.children_user + times.children_system
    return total


def _megabytes(pid: int) -> float:
    """Return a process's peak resident memory in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = (x for x in status.splitlines() if x.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def _screen(plan: Plan) -> Figure:
    """Publish the screener and time a screen of five conditions, a sort and a limit."""
    published = plan.row("equities.publish_screener", p_pipeline=PIPELINE, p_run_id="bench")
    plan.sql("vacuum analyze equities.screener")
    times = []
    for _ in range(21):
        started = time.perf_counter()
        plan.sql(SCREEN)
        times.append(1000 * (time.perf_counter() - started))
    return Figure(
        f"indicators: a screen of {published['listings']:,} listings",
        statistics.median(times),
        unit="ms",
        at_most=MAX_MS,
        detail=f"{min(times):.1f} to {max(times):.1f}",
    )
