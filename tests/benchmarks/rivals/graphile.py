"""Benchmark: jobs that each insert a row, by a worker of Headgate and by graphile-worker (Node.js).

Both work off 20,000 existing jobs on the same server. graphile-worker takes one job at a time, with its fastest
settings; the best of several concurrencies counts.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from psycopg.conninfo import conninfo_to_dict

from headgate.database import connect, dsn_of
from headgate.settings import Settings
from tests.benchmarks import queue, system
from tests.benchmarks.measure import Figure, per_second, ratio, take_turns
from tests.plan import Plan
from tests.servers import DB

FOLDER: Final = DB.parent / ".graphile"
"""Where `make bench/rivals` installs graphile-worker, if Node.js is installed."""
CONCURRENCIES: Final = (4, 10, 24)
CHUNK: Final = 200
GOAL: Final = 4.0
VARIABLES: Final = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
}


def run(
    server: Settings, *, jobs: int = 20_000, runs: int = 3, folder: Path = FOLDER
) -> Iterator[Figure]:
    """Measure both in turns; yield nothing if graphile-worker is not installed."""
    if not is_installed(folder):
        return
    with system.own_database(server, "graphile") as settings, connect(settings, "bench") as own:
        plan = Plan(own)
        queue.write_local_plan(plan, jobs)
        sides = queue.Sides()
        theirs: dict[int, list[float]] = {x: [] for x in CONCURRENCIES}

        def ours() -> None:
            with system.listening(settings) as ends:
                queue.work(settings, plan, ends, sides, queue.LOCAL, CHUNK, jobs)

        def graphile() -> None:
            for concurrency, rates in theirs.items():
                plan.sql("truncate public.left_rows")
                rates.append(jobs / _work_off(settings, folder, jobs, concurrency))
                assert plan.scalar("select count(*) from public.left_rows") == jobs

        take_turns(runs, ours, graphile)
    best = [max(x) for x in zip(*theirs.values(), strict=True)]
    yield Figure(
        f"rivals: jobs that leave a row, chunks of {CHUNK}, against graphile-worker",
        ratio(sides.drain, best),
        at_least=GOAL,
        detail=f"{per_second('ours', sides.drain)}, {per_second('graphile-worker', best)}",
    )


def is_installed(folder: Path = FOLDER) -> bool:
    """Return whether graphile-worker is installed in the folder."""
    return (folder / "node_modules" / "graphile-worker").is_dir()


def _work_off(settings: Settings, folder: Path, jobs: int, concurrency: int) -> float:
    """Work off the jobs with graphile-worker; return its seconds."""
    where = conninfo_to_dict(dsn_of(settings))
    done = subprocess.run(
        ["node", "worker.mjs", str(jobs), str(concurrency)],
        cwd=folder,
        env=os.environ | {v: str(where[k]) for k, v in VARIABLES.items() if k in where},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-1000:]
    return float(done.stdout)
