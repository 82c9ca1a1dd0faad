"""Benchmark files: a million rows of ten columns to Parquet by `export`, against a bare loop.

The bare loop is COPY as CSV, read by pyarrow into a ParquetWriter, in one process and directly from the table.
Our side passes through an input function, the runner's thread, a pipe and the handler's process.
"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import psycopg

from headgate.database import connect, dsn_of
from headgate.settings import Settings
from tests.benchmarks import system
from tests.benchmarks.measure import Figure, ratio, take_turns
from tests.limits import PATIENCE
from tests.plan import Plan

LEAST_RATIO: Final = 0.7
MAX_SECONDS: Final = 4.0
MAX_MB: Final = 300.0
FILL: Final = """
    create table public.sales as
    select n as sale_id, n %% 5000 as customer, (n %% 90)::smallint as amount, n * 0.5::float8 as price,
        (n * 0.25)::numeric(12, 2) as total, 'product ' || n %% 1000 as product, md5(n::text) as note,
        n %% 3 = 0 as is_paid, timestamptz '2026-01-01 00:00+00' + n * interval '1 second' as sold_at,
        date '2026-01-01' + n %% 365 as day
    from generate_series(1, %(rows)s) as n
"""
FUNCTION: Final = """
    create function public.read_sales(p_context jsonb, p_asset_ids bigint[])
    returns table (
        asset_id bigint, sale_id integer, customer integer, amount smallint, price float8, total numeric, product text,
        note text, is_paid boolean, sold_at timestamptz, day date
    )
    language sql stable security definer set search_path = pg_catalog, pg_temp
    as $$ select 1, s.* from public.sales as s $$;
    alter function public.read_sales owner to headgate_owner;
    alter schema public owner to headgate_owner;
    grant select on public.sales to headgate_owner
"""
COPY: Final = "copy public.sales to stdout (format csv)"
TOTAL: Final = "numeric(12,2)"


@dataclass
class Runs:
    """Measurements of the processes."""

    rates: list[float]
    seconds: list[float]
    peaks: list[float]


def run(server: Settings, *, rows: int = 1_000_000, runs: int = 3) -> Iterator[Figure]:
    """Measure both sides in turns."""
    with (
        system.own_database(server, "files") as settings,
        connect(settings, "bench") as connection,
    ):
        plan = Plan(connection)
        plan.sql(FILL, rows=rows)
        plan.sql(FUNCTION)
        plan.sql("vacuum analyze public.sales")
        ours, bare = Runs([], [], []), Runs([], [], [])

        def measure(who: str, found: Runs) -> None:
            figures = _in_a_process(who, dsn_of(settings))
            assert figures["rows"] == rows
            found.rates.append(rows / figures["seconds"])
            found.seconds.append(figures["seconds"])
            found.peaks.append(figures["peak_mb"])

        take_turns(runs, partial(measure, "ours", ours), partial(measure, "bare", bare))
    title = f"files: {rows:,} rows x 10 columns to Parquet"
    yield Figure(
        f"{title}, against COPY into a ParquetWriter",
        ratio(ours.rates, bare.rates),
        at_least=LEAST_RATIO,
        detail=f"{min(ours.seconds):.2f} s against {min(bare.seconds):.2f} s",
    )
    yield Figure(title, min(ours.seconds), unit="s", at_most=MAX_SECONDS)
    yield Figure(
        f"{title}: peak of memory of a process",
        max(ours.peaks),
        unit="MB",
        at_most=MAX_MB,
        detail=f"bare {max(bare.peaks):.0f} MB",
    )


def _in_a_process(who: str, dsn: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.files", who, dsn],
        capture_output=True, text=True, check=True, timeout=10 * PATIENCE,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _bare(dsn: str) -> dict[str, float]:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    schema = pa.schema(
        [
            ("sale_id", pa.int32()), ("customer", pa.int32()), ("amount", pa.int16()), ("price", pa.float64()),
            ("total", pa.decimal128(12, 2)), ("product", pa.string()), ("note", pa.string()), ("is_paid", pa.bool_()),
            ("sold_at", pa.timestamp("us", tz="UTC")), ("day", pa.date32()),
        ]
    )  # fmt: skip
    started = time.perf_counter()
    with (
        psycopg.connect(dsn, options="-c timezone=UTC") as source,
        source.cursor().copy(COPY) as copied,
        tempfile.TemporaryDirectory() as folder,
        pa.parquet.ParquetWriter(f"{folder}/a.parquet", schema) as writer,
    ):
        reader = pa.csv.open_csv(
            pa.PythonFile(_Readable(copied), mode="r"),
            pa.csv.ReadOptions(block_size=8 << 20, column_names=schema.names),
            pa.csv.ParseOptions(newlines_in_values=True),
            pa.csv.ConvertOptions(column_types=schema, true_values=["t"], false_values=["f"]),
        )
        rows = 0
        for batch in reader:
            writer.write_batch(batch)
            rows += len(batch)
    return {"rows": rows, "seconds": time.perf_counter() - started, "peak_mb": _peak()}


class _Readable:
    """File-like reader of the blocks of a COPY."""

    closed = False

    def __init__(self, copied: Any) -> None:
        self._rows = iter(copied)
        self._rest = bytearray()

    def read(self, size: int) -> bytes:
        while len(self._rest) < size and (row := next(self._rows, None)) is not None:
            self._rest += row
        block, self._rest = bytes(self._rest[:size]), self._rest[size:]
        return block

    def close(self) -> None:
        self.closed = True


async def _ours(dsn: str) -> dict[str, float]:
    from headgate.handlers import Input, Pool, Task
    from headgate.worker.streams import feed, make_pipe

    def task(folder: str) -> Task:
        return Task(
            "export", "bench", {"now": "2026-01-01T00:00:00+00:00"}, [1], ["A"], [None], Input(), None, PATIENCE, 2**30,
            options={"types": {"total": TOTAL}}, names=["a.parquet"], folder=folder, stream=f"{folder}/input",
        )  # fmt: skip

    async def export(function: str) -> dict[str, float]:
        with tempfile.TemporaryDirectory() as folder:
            pipe = make_pipe(Path(folder))
            work = partial(
                feed, lambda: psycopg.connect(dsn, autocommit=True), pipe, function, "csv", {}, 1, threading.Event()
            )  # fmt: skip
            started = time.perf_counter()
            feeding = asyncio.create_task(asyncio.to_thread(work))
            done = await pool.run(task(folder))
            await asyncio.gather(feeding, return_exceptions=True)
            seconds = time.perf_counter() - started
        rows = sum(x.rows or 0 for x in done.files)
        return {"rows": rows, "seconds": seconds, "peak_mb": max(_peak(), done.peak_memory / 2**20)}

    pool = Pool(1)
    await export("public.unknown")  # starts the process, which is then reused
    found = await export("public.read_sales")
    await pool.aclose()
    return found


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    print(
        json.dumps(asyncio.run(_ours(sys.argv[2])) if sys.argv[1] == "ours" else _bare(sys.argv[2]))
    )
