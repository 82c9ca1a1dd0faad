"""Feeding: bars per second out of the database into numpy, against binary COPY.

Our side is a handler's input: the indicators' input function returns one row per listing with its series as
arrays, read and parsed as by the runner. The baseline is binary COPY of the same bars, row by row in order,
received and parsed into numpy.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from psycopg import Connection, sql

from headgate.database import aconnect, connect
from headgate.handlers.input import read_chunk
from headgate.handlers.pool_messages import Task
from headgate.migrate.load import copy_block
from headgate.settings import Settings
from headgate.worker.queue import Queue
from tests.benchmarks import system
from tests.benchmarks.bigtables import TYPES
from tests.benchmarks.measure import Figure, per_second, ratio

LEAST: Final = 1.0
FUNCTION: Final = "equities.bars_for_indicators"
NOW: Final = datetime(2026, 6, 30, tzinfo=UTC)
COPY: Final = sql.SQL(
    "copy (select asset_id, date, high, low, adjusted_close, volume::float8 from equities.prices"
    " where asset_id = any ({}) order by asset_id, date) to stdout (format binary)"
)
ROW: Final = np.dtype(
    [("n", ">i2")]
    + [
        item
        for nth, kind in enumerate((">i8", ">i4", ">f8", ">f8", ">f8", ">f8"))
        for item in ((f"length{nth}", ">i4"), (f"value{nth}", kind))
    ]
)


@dataclass(slots=True)
class Sides:
    """Bars per second, turn by turn."""

    ours: list[float] = field(default_factory=list)
    copy: list[float] = field(default_factory=list)


def run(
    server: Settings, *, lengths: tuple[int, ...] = (250, 2_500), assets: int = 500, runs: int = 3
) -> Iterator[Figure]:
    """Measure histories of each length, 100 listings at a time."""
    for bars in lengths:
        with (
            system.own_database(server, f"feeding_{bars}") as settings,
            connect(settings, "bench") as connection,
        ):
            fill(connection, assets, bars)
            sides = asyncio.run(_measure(settings, connection, assets, bars, runs))
            yield Figure(
                f"feeding: {assets} listings of {bars} bars into numpy, against binary COPY",
                ratio(sides.ours, sides.copy),
                at_least=LEAST,
                detail=f"bars: {per_second('ours', sides.ours)},"
                f" {per_second('binary COPY', sides.copy)}",
            )


def fill(connection: Connection[Any], assets: int, bars: int) -> None:
    """Insert `bars` bars for listings 1 to `assets`, the last ones before NOW."""
    days = np.datetime64(NOW.date()) - np.arange(bars)[::-1] * 7 // 5
    close = 100 + 10 * np.sin(np.arange(bars) / 9.0)
    count = assets * bars
    columns = {
        "asset_id": np.repeat(np.arange(1, assets + 1), bars),
        "date": np.tile(days, assets),
        "volume": np.full(count, 1000),
        **{name: np.tile(close * by, assets) for name, by in _PRICES.items()},
    }
    copy_block(connection, "equities.prices", columns, TYPES)
    connection.execute("vacuum (analyze) equities.prices")


_PRICES: Final = {"open": 1.0, "high": 1.01, "low": 0.99, "close": 1.0, "adjusted_close": 1.0}


async def read_task(queue: Queue, asset_ids: list[int], handler: str = "") -> Task:
    """Read the indicators' input of these listings, as a task for a handler."""
    context = {"now": NOW.isoformat(), "params": {}}
    return Task(
        handler=handler,
        operation="indicators_calculation",
        context=context,
        asset_ids=asset_ids,
        codes=[str(x) for x in asset_ids],
        watermarks=[None] * len(asset_ids),
        input=await queue.read_input(FUNCTION, context, asset_ids),
        row_type=None,
        timeout_seconds=300,
        max_memory=2**31,
    )


async def _measure(
    settings: Settings, connection: Connection[Any], assets: int, bars: int, runs: int
) -> Sides:
    sides = Sides()
    ids = [list(range(n, min(n + 100, assets + 1))) for n in range(1, assets + 1, 100)]
    queue = Queue(await aconnect(settings, "bench"), "bench")
    try:
        for _ in range(runs):
            started = time.perf_counter()
            found = 0
            for some in ids:
                found += len(read_chunk(await read_task(queue, some)).columns["close"])
            assert found == assets * bars
            sides.ours.append(found / (time.perf_counter() - started))
            started = time.perf_counter()
            found = sum(_copied(connection, some) for some in ids)
            assert found == assets * bars
            sides.copy.append(found / (time.perf_counter() - started))
    finally:
        await queue.connection.close()
    return sides


def _copied(connection: Connection[Any], asset_ids: list[int]) -> int:
    with connection.cursor() as cursor, cursor.copy(COPY.format(sql.Literal(asset_ids))) as copy:
        body = b"".join(bytes(block) for block in copy)
    rows = np.frombuffer(body, ROW, offset=19, count=(len(body) - 21) // ROW.itemsize)
    columns = [
        rows[f"value{nth}"].astype(rows[f"value{nth}"].dtype.newbyteorder("=")) for nth in range(6)
    ]
    return len(columns[0])
