"""Benchmark 5, memory: a worker's peak memory, and its cost while it waits."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from headgate.database import connect
from headgate.settings import Settings
from tests.benchmarks import system
from tests.benchmarks.jobs import send, write_calls
from tests.benchmarks.measure import Figure
from tests.benchmarks.provider import provider
from tests.plan import Plan

NOOP: Final = "memory_noop"
CALLS: Final = "memory_calls"
CHUNK: Final = 200
MAX_IDLE_MB, MAX_WORKING_MB = 60.0, 100.0
REPORTED = 12.0
"""Seconds after which an idle session has reported its statistics, which takes up to ten."""


def run(
    server: Settings,
    *,
    jobs: int = 20_000,
    calls: int = 5_000,
    idle_seconds: float = 60,
    runs: int = 1,
) -> Iterator[Figure]:
    """Measure a worker that waits, one that drains jobs without calls, and one that makes calls."""
    with (
        provider() as base_url,
        system.own_database(server, "memory") as settings,
        connect(settings, "bench") as connection,
    ):
        plan = Plan(connection)
        system.write_plan(plan, NOOP)
        system.add_assets(plan, NOOP, jobs)
        write_calls(plan, CALLS, base_url)
        system.add_assets(plan, CALLS, calls)
        yield from _idle(server, settings, idle_seconds)
        for what, name, count in (("jobs without a call", NOOP, jobs), ("calls", CALLS, calls)):
            peaks = [_peak(settings, plan, name, count) for _ in range(runs)]
            yield Figure(
                f"memory: peak of a worker, {count:,} {what}",
                max(peaks),
                unit="MB",
                at_most=MAX_WORKING_MB,
            )


def _idle(server: Settings, settings: Settings, seconds: float) -> Iterator[Figure]:
    """Measure a waiting worker; commits are counted from another database, which adds none."""
    with connect(server, "bench") as outside:
        counted = Plan(outside)
        without = _commits(counted, settings, seconds)
        with system.worker(settings) as process:
            resident = megabytes(process.pid, "VmRSS")
            commits = _commits(counted, settings, seconds)
    yield Figure("memory: a worker that waits", resident, unit="MB", at_most=MAX_IDLE_MB)
    yield Figure(
        "memory: statements of a worker that waits",
        max(0, commits - without) / seconds * 60,
        unit="a minute",
        detail=f"{commits} commits in {seconds:g} s, {without} without it",
    )


def _commits(counted: Plan, settings: Settings, seconds: float) -> int:
    """Return the number of commits in a database that at most a waiting worker uses."""

    def total() -> int:
        commits = counted.scalar(
            "select d.xact_commit from pg_stat_database as d where d.datname = %(name)s",
            name=settings.database,
        )
        assert isinstance(commits, int)
        return commits

    time.sleep(REPORTED)
    before = total()
    time.sleep(seconds)
    return total() - before


def _peak(settings: Settings, plan: Plan, name: str, count: int) -> float:
    """Run all jobs of a pipeline with a new worker; return its peak resident memory in MB."""
    with system.listening(settings) as ends, system.worker(settings) as process:
        send(plan, ends, name, CHUNK, count)
        return megabytes(process.pid, "VmHWM")


def megabytes(pid: int, name: str) -> float:
    """Return a memory size of a process from /proc, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = (x for x in status.splitlines() if x.startswith(f"{name}:"))
    return int(line.split()[1]) / 1024
