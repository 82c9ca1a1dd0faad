"""The pages, among all listings and 5,000,000 ended jobs: how fast each answers, and what the queue loses to ten browsers.

Each browser holds a stream of events, and reads its page after each event and each two seconds; metrics are scraped, and the
queries of Grafana's dashboards are asked, each five seconds. Every page is asked for by addresses of its own, because the
server shows a page that it has just read to all who ask for it.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Final

import aiohttp
from psycopg import Connection
from psycopg.rows import DictRow

from headgate.database import READER, connect, dsn_of
from headgate.settings import Settings
from headgate.web.reader import CONNECTIONS
from tests.benchmarks import history, queue, system
from tests.benchmarks.measure import Figure, cpu_seconds, per_second, ratio, take_turns
from tests.deploy.dashboards import sql_of, targets
from tests.limits import wait_until
from tests.plan import Plan
from tests.servers import DB

MAX_MS: Final = 100.0
LEAST_SHARE: Final = 0.8
BROWSERS: Final = 10
CHUNK: Final = 200
PIPELINE: Final = f"pipeline={history.PIPELINE}"
PAGES: Final = {
    "overview": "/?",
    "search": "/assets?q=aap",
    "near misses": "/assets?q=appl.us",
    "an asset": "/assets/AAPL.US?universe=equities",
    "an asset's older jobs": "/assets/AAPL.US?universe=equities&before={old}",
    "operations": "/operations?",
    "an operation": "/operations/prices_incremental?",
    "checks": "/checks?",
    "a check": "/checks/bars_there?",
    "alerts": "/alerts?",
    "explain": f"/explain?{PIPELINE}",
    "forecast": f"/forecast?{PIPELINE}",
    "metrics": "/metrics?",
}
DASHBOARDS: Final = [sql_of(x) for place, x in targets("rawSql") if not place.startswith("viral:")]
"""The queries of Grafana's dashboards, but for those of one plan."""
READERS: Final = ("page", "event", "metrics", "dashboard")


def run(
    server: Settings, *, rows: int = 5_000_000, jobs: int = 180_000, runs: int = 9
) -> Iterator[Figure]:
    """Measure each page, and the queue's rate with and without readers."""
    with system.own_database(server, "web") as settings, connect(settings, "bench") as connection:
        plan = Plan(connection)
        assets = history.fill(plan, rows)
        with served(settings) as (address, pid):
            yield from asyncio.run(
                _page_times(connection, address, pid, runs, f"{assets:,} listings, {rows:,} jobs")
            )
            yield _queue_share(settings, plan, address, jobs, max(1, runs // 3))


@contextmanager
def served(settings: Settings) -> Iterator[tuple[str, int]]:
    """Run `headgate web` in its own process; yield its address and its number."""
    environ = {k: v for k, v in os.environ.items() if k not in system.UNWANTED}
    with subprocess.Popen(
        [sys.executable, "-m", "headgate", "web", "--port", "0"],
        env={**environ, "HEADGATE_DSN": dsn_of(settings), "HEADGATE_DB": str(settings.db)},
        cwd=DB.parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), process.pid
        finally:
            process.terminate()


async def _page_times(
    connection: Connection[DictRow], address: str, pid: int, runs: int, what: str
) -> list[Figure]:
    """Read each page on every connection of the server to warm up, then time it; a runner is alive."""
    figures = []
    async with aiohttp.ClientSession(address) as client:
        for name, path in PAGES.items():
            system.beat(connection)
            own = path.format(old="2026-01-01") if "{old}" in path else path
            await asyncio.gather(*(read(client, f"{own}&n=w{n}") for n in range(CONNECTIONS)))
            pids = [pid, *_backends(connection)]
            used = cpu_seconds(pids)
            times = [1000 * await read(client, f"{own}&n={n}") for n in range(runs)]
            cpu = 1000 * (cpu_seconds(pids) - used) / runs
            p99 = statistics.quantiles([*times, *times], n=100)[-1]
            figures.append(
                Figure(
                    f"web: {name}, {what}",
                    statistics.median(times),
                    unit="ms",
                    at_most=MAX_MS,
                    detail=f"p99 {p99:.0f} ms, processor {cpu:.0f} ms",
                )
            )
    return figures


async def fastest(
    connection: Connection[DictRow], address: str, paths: Mapping[str, str], runs: int
) -> dict[str, float]:
    """Read each path on every connection of the server to warm up, then return the milliseconds of its fastest reading."""
    times = {}
    async with aiohttp.ClientSession(address) as client:
        for name, path in paths.items():
            system.beat(connection)
            await asyncio.gather(*(read(client, f"{path}&n=w{n}") for n in range(CONNECTIONS)))
            times[name] = 1000 * min([await read(client, f"{path}&n={n}") for n in range(runs)])
    return times


def _backends(connection: Connection[DictRow]) -> list[int]:
    """Return the server processes that read for the pages."""
    rows = connection.execute(
        "select pid from pg_stat_activity where datname = current_database()"
        " and application_name like 'headgate web%'"
    ).fetchall()
    return [x["pid"] for x in rows]


async def read(client: aiohttp.ClientSession, path: str) -> float:
    """Read a page; return the seconds."""
    began = time.perf_counter()
    async with client.get(path) as answer:
        text = await answer.text()
    assert answer.status == 200, text
    return time.perf_counter() - began


def _queue_share(settings: Settings, plan: Plan, address: str, jobs: int, runs: int) -> Figure:
    """Drain the queue in turns, without and with readers."""
    queue.write_local_plan(plan, jobs)
    quiet, busy = queue.Sides(), queue.Sides()
    with system.listening(settings) as ends:

        def drain(sides: queue.Sides) -> None:
            queue.work(settings, plan, ends, sides, queue.LOCAL, CHUNK, jobs)

        def drain_read() -> None:
            with readers(settings, address):
                drain(busy)

        take_turns(runs, lambda: drain(quiet), drain_read)
    return Figure(
        f"web: the queue with {BROWSERS} browsers, a scraper and the dashboards",
        ratio(busy.drain, quiet.drain),
        at_least=LEAST_SHARE,
        detail=f"{per_second('with', busy.drain)}, {per_second('without', quiet.drain)}",
    )


@contextmanager
def readers(settings: Settings, address: str) -> Iterator[Counter[str]]:
    """Let browsers, a scraper and the dashboards read until the block ends, which begins when each has read.

    It is given how often each has read; what went wrong is raised at its end.
    """
    is_over, counts = threading.Event(), Counter[str]()
    with ThreadPoolExecutor(2) as threads:
        under_way = [
            threads.submit(lambda: asyncio.run(_browse(address, is_over, counts))),
            threads.submit(_refresh, settings, is_over, counts),
        ]

        def all_read() -> bool:
            return any(x.done() for x in under_way) or all(counts[x] for x in READERS)

        try:
            wait_until(all_read, "readers")
            yield counts
        finally:
            is_over.set()
        for reader in under_way:
            reader.result()


async def _browse(address: str, is_over: threading.Event, counts: Counter[str]) -> None:
    async with aiohttp.ClientSession(address) as client, asyncio.TaskGroup() as group:
        for number in range(BROWSERS):
            group.create_task(_browser(client, f"/?n={number % 2}", is_over, counts))
        group.create_task(_scraper(client, is_over, counts))


async def _browser(
    client: aiohttp.ClientSession, path: str, is_over: threading.Event, counts: Counter[str]
) -> None:
    """Read a page after each event, and at least each two seconds."""
    async with client.get("/events") as events:
        while not is_over.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(2):
                    line = await events.content.readline()
                    counts["event"] += line.startswith(b"event")
            await read(client, path)
            counts["page"] += 1


async def _scraper(
    client: aiohttp.ClientSession, is_over: threading.Event, counts: Counter[str]
) -> None:
    while not is_over.is_set():
        await read(client, "/metrics")
        counts["metrics"] += 1
        for _ in range(50):
            if not is_over.is_set():
                await asyncio.sleep(0.1)


def _refresh(settings: Settings, is_over: threading.Event, counts: Counter[str]) -> None:
    with connect(settings, "dashboard", role=READER) as connection:
        while not is_over.is_set():
            for query in DASHBOARDS:
                connection.execute(query.encode()).fetchall()
            counts["dashboard"] += 1
            is_over.wait(5)
