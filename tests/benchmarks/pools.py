"""Backends for handlers: two processes against one, and a Dask cluster of two against two processes.

Each processes the same chunks, read once. The handler only computes, so that the backends share the machine's
cores and not the database.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from headgate.database import aconnect, connect
from headgate.handlers import Chunk, Result
from headgate.handlers.dask import DaskBackend
from headgate.handlers.pool import Pool
from headgate.handlers.pool_messages import Task
from headgate.settings import Settings
from headgate.worker.handler_executor import ExecutorBackend
from headgate.worker.queue import Queue
from tests.benchmarks import system
from tests.benchmarks.feeding import fill, read_task
from tests.benchmarks.measure import Figure, per_second, ratio
from tests.cluster import two_workers

CHUNK: Final = 100
ROUNDS: Final = 20


@dataclass(slots=True)
class Sides:
    """Listings per second, turn by turn."""

    one: list[float] = field(default_factory=list)
    two: list[float] = field(default_factory=list)
    dask: list[float] = field(default_factory=list)


def smooth(chunk: Chunk) -> Result:
    """Compute recursions over every listing's closes, comparable to about twenty indicators."""
    close = chunk.columns["close"].reshape(len(chunk), -1)
    for length in range(2, 2 + ROUNDS):
        average = np.empty_like(close)
        average[:, 0] = close[:, 0]
        for nth in range(1, close.shape[1]):
            average[:, nth] = average[:, nth - 1] + (close[:, nth] - average[:, nth - 1]) / length
    return Result()


def run(
    server: Settings, *, assets: int = 1_000, bars: int = 1_000, runs: int = 3, dask: bool = True
) -> Iterator[Figure]:
    """Measure `assets` listings with `bars` bars each, in chunks of 100."""
    with (
        system.own_database(server, "pools") as settings,
        connect(settings, "bench") as connection,
    ):
        fill(connection, assets, bars)
        sides = asyncio.run(_measure(settings, assets, runs, with_dask=dask))
    what = f"{assets} listings of {bars} bars"
    yield Figure(
        f"pools: two processes against one, {what}",
        ratio(sides.two, sides.one),
        at_least=1.5,
        detail=f"{per_second('one', sides.one)}, {per_second('two', sides.two)}",
    )
    if sides.dask:
        yield Figure(
            f"pools: Dask, two workers, against two processes, {what}",
            ratio(sides.dask, sides.two),
            at_least=0.5,
            detail=f"{per_second('Dask', sides.dask)}, {per_second('local', sides.two)}",
        )


async def _measure(settings: Settings, assets: int, runs: int, *, with_dask: bool) -> Sides:
    queue = Queue(await aconnect(settings, "bench"), "bench")
    handler = f"{__name__}:smooth"
    ids = list(range(1, assets + 1))
    tasks = [await read_task(queue, ids[n : n + CHUNK], handler) for n in range(0, assets, CHUNK)]
    await queue.connection.close()
    sides = Sides()
    one, two = Pool(1), Pool(2)
    if with_dask:
        async with two_workers() as cluster:
            dask = DaskBackend(cluster.scheduler_address)
            await dask.start()
            await _take_turns(tasks, runs, (one, sides.one), (two, sides.two), (dask, sides.dask))
            await dask.aclose()
    else:
        await _take_turns(tasks, runs, (one, sides.one), (two, sides.two))
    await asyncio.gather(one.aclose(), two.aclose())
    return sides


async def _take_turns(
    tasks: list[Task], runs: int, *backends: tuple[ExecutorBackend, list[float]]
) -> None:
    """Run all tasks on each backend in turns; the first turn starts processes and is not counted."""
    listings = sum(len(task.asset_ids) for task in tasks)
    for turn in range(runs + 1):
        for backend, rates in backends:
            started = time.perf_counter()
            done = await asyncio.gather(*(backend.run(task) for task in tasks))
            assert all(job.outcome == "success" for x in done for job in x.jobs), done[0].jobs[0]
            if turn:
                rates.append(listings / (time.perf_counter() - started))
