"""Benchmark sources: rows of another database into a staging table, against psql's \\copy.

Both copy the same rows in binary from one database of the server into an unlogged table of another, in turns,
each in its own process. Our side adds the lease's token to every row, and commits every few megabytes. Its
memory must not grow with the rows.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

import psycopg

from headgate.database import connect, dsn_of
from headgate.embedded.server import binaries
from headgate.memory import peak_bytes
from headgate.settings import Settings
from headgate.worker import staging
from headgate.worker.chunks import Call
from tests.benchmarks import system
from tests.benchmarks.measure import Figure, per_second, ratio, take_turns
from tests.limits import PATIENCE
from tests.plan import Plan

LEAST_RATIO: Final = 0.5
LEAST_RATE: Final = 300_000.0
MAX_GROWTH: Final = 1.2
COLUMNS: Final = "order_id bigint, customer text, amount double precision, changed_at timestamptz"
FILL: Final = """
    create table public.orders as
    select n::bigint as order_id, 'customer ' || n %% 1000 as customer, n * 0.5::float8 as amount,
        timestamptz '2026-01-01 00:00+00' + n * interval '1 second' as changed_at
    from generate_series(1, %(rows)s) as n
"""
QUERY: Final = (
    "select order_id, customer, amount, changed_at from public.orders where order_id <= {}"
)
STAGE: Final = "bench_orders"
PIPE: Final = (
    '"$1/psql" -qX -v ON_ERROR_STOP=1 "$2" -c "\\copy ($4) to stdout (format binary)"'
    ' | "$1/psql" -qX -v ON_ERROR_STOP=1 "$3" -c "\\copy public.copied from stdin (format binary)"'
)


def run(server: Settings, *, rows: int = 2_000_000, runs: int = 3) -> Iterator[Figure]:
    """Measure `rows` rows, and compare the memory with that for a quarter of them."""
    with (
        system.own_database(server, "sources") as settings,
        system.own_database(server, "source") as source,
        connect(settings, "bench") as connection,
    ):
        plan = Plan(connection)
        with connect(source, "bench") as other:
            Plan(other).sql(FILL, rows=rows)
            Plan(other).sql("vacuum analyze public.orders")
        plan.sql(f"create table public.shape ({COLUMNS})")
        plan.sql(f"create unlogged table public.copied ({COLUMNS})")
        plan.sql(f"select headgate._open_stage('{STAGE}', 'public.shape', null)")
        ours: list[float] = []
        theirs: list[float] = []
        peaks: dict[int, list[float]] = {rows: [], rows // 4: []}

        def copy(count: int = rows) -> None:
            plan.sql(f"truncate headgate_stage.{STAGE}")
            found = _in_a_process(settings, source, count)
            assert plan.scalar(f"select count(*) from headgate_stage.{STAGE}") == count
            peaks[count].append(found["peak_mb"])
            if count == rows:
                ours.append(count / found["seconds"])

        def psql() -> None:
            plan.sql("truncate public.copied")
            started = time.perf_counter()
            query = QUERY.format(rows)
            arguments = (str(binaries()), dsn_of(source), dsn_of(settings), query)
            subprocess.run(["bash", "-o", "pipefail", "-c", PIPE, "-", *arguments], check=True)
            theirs.append(rows / (time.perf_counter() - started))
            assert plan.scalar("select count(*) from public.copied") == rows

        take_turns(runs, copy, psql, lambda: copy(rows // 4))
    yield from _figures(rows, ours, theirs, peaks)


def _figures(
    rows: int, ours: list[float], theirs: list[float], peaks: dict[int, list[float]]
) -> Iterator[Figure]:
    title = f"sources: {rows:,} rows into a staging table"
    yield Figure(
        f"{title}, against psql \\copy",
        ratio(ours, theirs),
        at_least=LEAST_RATIO,
        detail=f"rows: {per_second('ours', ours)}, {per_second('psql', theirs)}",
    )
    yield Figure(title, sorted(ours)[len(ours) // 2], unit="rows/s", at_least=LEAST_RATE)
    most, least = max(peaks[rows]), max(peaks[rows // 4])
    yield Figure(
        f"{title}: peak of memory against a quarter of the rows",
        most / least,
        at_most=MAX_GROWTH,
        detail=f"{most:.0f} MB against {least:.0f} MB",
    )


def _in_a_process(settings: Settings, source: Settings, rows: int) -> dict[str, Any]:
    given = json.dumps(
        {
            "settings": {"dsn": dsn_of(settings), "database": settings.database},
            "home": str(settings.home),
            "db": str(settings.db),
            "source": dsn_of(source),
            "rows": rows,
        }
    )
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.sources"],
        input=given, capture_output=True, text=True, check=True, timeout=10 * PATIENCE,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _copy(given: dict[str, Any]) -> dict[str, float]:
    """Copy like a runner, in this process."""
    names = (("order_id", "bigint", 20), ("customer", "text", 25))
    others = (("amount", "double precision", 701), ("changed_at", "timestamptz", 1184))
    call = Call.from_row(
        {
            "kind": "postgres",
            "auth": {"secret": "UNUSED"},
            "stage": {"table": STAGE, "columns": [*names, *others]},
        }
    )
    started = time.perf_counter()
    with psycopg.connect(given["source"], autocommit=True) as source:
        staging.copy(
            source, lambda: psycopg.connect(given["settings"]["dsn"], autocommit=True), call,
            QUERY.format(given["rows"]), [], [1, 1, 1], threading.Event(),
        )  # fmt: skip
    seconds = time.perf_counter() - started
    return {
        "seconds": seconds,
        "peak_mb": peak_bytes() / 2**20,
    }


if __name__ == "__main__":
    print(json.dumps(_copy(json.load(sys.stdin))))
