"""One scrape of all metrics, among all listings and 1,000,000 ended jobs, and how many series it has."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from typing import Final

from headgate.database import READER, connect
from headgate.metrics import render
from headgate.settings import Settings
from tests.benchmarks import history, system
from tests.benchmarks.measure import Figure, cpu_seconds
from tests.plan import Plan

MAX_MS: Final = 50.0
MAX_SERIES: Final = 200.0


def run(server: Settings, *, rows: int = 1_000_000, runs: int = 15) -> Iterator[Figure]:
    """Time a scrape as headgate_reader; the first one warms up."""
    with system.own_database(server, "metrics") as settings:
        with connect(settings, "bench") as connection:
            assets = history.fill(Plan(connection), rows)
            system.beat(connection)
        with connect(settings, "bench", role=READER) as connection:
            times, pids = [], (os.getpid(), connection.info.backend_pid)
            for nth in range(runs + 1):
                if nth == 1:
                    used = cpu_seconds(pids)
                began = time.perf_counter()
                _, text = render(connection)
                times.append(1000 * (time.perf_counter() - began))
            cpu = 1000 * (cpu_seconds(pids) - used) / runs
            found = connection.execute("select count(*) as n from headgate.v_pipelines").fetchone()
    series = sum(not x.startswith(b"#") for x in text.splitlines())
    yield Figure(
        f"metrics: a scrape, {assets:,} listings, {rows:,} jobs",
        statistics.median(times[1:]),
        unit="ms",
        at_most=MAX_MS,
        detail=f"fastest {min(times):.0f} ms, processor {cpu:.0f} ms",
    )
    assert found is not None
    yield Figure(
        "metrics: series of a pipeline", series / found["n"], unit="series", at_most=MAX_SERIES
    )
