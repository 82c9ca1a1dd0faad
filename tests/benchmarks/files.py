"""Benchmark files: a million rows of ten columns by `export` and `load`, against the bare loops of bare.py.

Our side passes through an input function, the runner's thread, a pipe and the handler's process. What is loaded is
copied into a stage, which is a table; a generated ingest function then merges it into the plan's own, a second write that
the bare loop does not make: it has a figure of its own. Workbooks have fewer rows, as they take minutes.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import psycopg

from headgate.database import connect, dsn_of
from headgate.memory import peak_bytes
from headgate.settings import Settings
from tests.benchmarks import system
from tests.benchmarks.measure import Figure, ratio, take_turns
from tests.limits import PATIENCE
from tests.plan import Plan

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
    grant select on public.sales to headgate_owner;
    create table public.loaded (like public.sales, primary key (sale_id));
    alter table public.loaded owner to headgate_owner
"""
STAGE: Final = "bench_loaded"
COLUMNS: Final = """
    select a.attname, format_type(a.atttypid, a.atttypmod), a.atttypid::bigint
    from pg_attribute as a
    where a.attrelid = 'public.loaded'::regclass and a.attnum > 0
    order by a.attnum
"""
INGEST: Final = f"""
    select headgate._open_stage('{STAGE}', 'public.loaded', null);
    select headgate._write_ingest_function(
        '{STAGE}', 'public.loaded', null, '{{sale_id}}', null, null, null, 'public.loaded'
    )
"""
MERGE: Final = (
    "select * from public.ingest_bench_loaded('{\"chunk_id\": 1, \"lease_no\": 1}', '{1}', null)"
)


@dataclass(slots=True)
class Case:
    """One way of the rows, with what both sides took."""

    name: str
    title: str
    against: str
    at_least: float
    share: int = 1
    """One of so many rows."""
    ours: list[dict[str, float]] = field(default_factory=list)
    bare: list[dict[str, float]] = field(default_factory=list)

    def figures(self, rows: int) -> Iterator[Figure]:
        """Yield the medians of the turns."""
        title = f"files: {rows:,} rows x 10 columns {self.title}"
        ours, bare = ([x["seconds"] for x in side] for side in (self.ours, self.bare))
        yield Figure(
            f"{title}, against {self.against}",
            ratio(bare, ours),
            at_least=self.at_least,
            detail=f"{statistics.median(ours):.2f} s against {statistics.median(bare):.2f} s",
        )
        if self.name == "parquet":
            yield Figure(title, statistics.median(ours), unit="s", at_most=MAX_SECONDS)
        if self.name == "table":
            merged = [x["seconds"] + x["merge_seconds"] for x in self.ours]
            yield Figure(
                f"{title} and merged, against {self.against}",
                ratio(bare, merged),
                at_least=self.at_least,
                detail=f"{statistics.median(merged):.2f} s against {statistics.median(bare):.2f} s",
            )

    @property
    def peak(self) -> float:
        """Return the most memory of a process of ours."""
        return max(x["peak_mb"] for x in self.ours)


def run(server: Settings, *, rows: int = 1_000_000, runs: int = 5) -> Iterator[Figure]:
    """Measure both sides of each way in turns."""
    cases = (
        Case("parquet", "to Parquet", "COPY into a ParquetWriter", 0.7),
        Case("ndjson", "to NDJSON", "COPY into a file", 0.8),
        Case("table", "from Parquet into a stage", "pgpq into COPY", 0.6),
        Case("xlsx", "to Excel", "xlsxwriter with the rows in memory", 0.8, share=20),
    )
    with (
        system.own_database(server, "files") as settings,
        connect(settings, "bench") as connection,
    ):
        plan = Plan(connection)
        plan.sql(FILL, rows=rows)
        plan.sql(FUNCTION)
        plan.sql(INGEST)
        path = str(settings.home / "sales")
        for case in cases:
            count = rows // case.share
            plan.sql("delete from public.sales where sale_id > %(count)s", count=count)
            plan.sql("vacuum (full, analyze) public.sales")
            sides = (("ours", case.ours), ("bare", case.bare))
            take_turns(
                runs, *(partial(_measure, plan, settings, path, case.name, *x) for x in sides)
            )
            yield from case.figures(count)
    yield Figure(
        "files: peak of memory of a process",
        max(x.peak for x in cases),
        unit="MB",
        at_most=MAX_MB,
        detail=", ".join(f"{x.title} {x.peak:.0f}" for x in cases),
    )


def _measure(
    plan: Plan, settings: Settings, path: str, case: str, who: str, found: list[dict[str, float]]
) -> None:
    """Let one side work, and look that all rows have come."""
    plan.sql(f"truncate public.loaded, headgate_stage.{STAGE}")
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.files", who, case, dsn_of(settings), path],
        capture_output=True, text=True, check=True, timeout=10 * PATIENCE,
    )  # fmt: skip
    figures: dict[str, Any] = json.loads(done.stdout)
    if case == "table":
        figures["rows"] = plan.scalar("select count(*) from public.loaded")
    assert figures["rows"] == plan.scalar("select count(*) from public.sales")
    found.append(figures)


def _bare(case: str, dsn: str, path: str) -> dict[str, float]:
    from tests.benchmarks.bare import LOOPS

    place = f"{path}.parquet" if case == "table" else f"{path}.{case}"
    with psycopg.connect(dsn, options="-c timezone=UTC", autocommit=True) as connection:
        rows, seconds = LOOPS[case](connection, place)
    return {"rows": rows, "seconds": seconds, "peak_mb": peak_bytes() / 2**20}


async def _ours(case: str, dsn: str, path: str) -> dict[str, float]:
    from headgate.handlers import Pool

    pool = Pool(1)
    work: Callable[[str], Awaitable[dict[str, float]]] = (
        partial(_load, pool, dsn, path) if case == "table" else partial(_export, pool, dsn, case)
    )
    await work("public.unknown")  # starts the process, which is then reused
    found = await work("public.read_sales")
    await pool.aclose()
    return found


async def _export(pool: Any, dsn: str, form: str, function: str) -> dict[str, float]:
    from headgate.worker.streams import feed, make_pipe

    with tempfile.TemporaryDirectory() as folder:
        pipe = make_pipe(Path(folder))
        options = {} if form == "ndjson" else {"types": {"total": "numeric(12,2)"}}
        task = _task("export", folder, options=options, names=[f"a.{form}"], stream=str(pipe))
        rows = "json" if form == "ndjson" else "csv"
        work = partial(
            feed,
            _connecting(dsn),
            pipe,
            function,
            rows,
            {"operation": "bench"},
            1,
            threading.Event(),
        )
        started = time.perf_counter()
        feeding = asyncio.create_task(asyncio.to_thread(work))
        done = await pool.run(task)
        await asyncio.gather(feeding, return_exceptions=True)
        seconds = time.perf_counter() - started
    count = sum(x.rows or 0 for x in done.files)
    return {
        "rows": count,
        "seconds": seconds,
        "peak_mb": max(peak_bytes(), done.peak_memory) / 2**20,
    }


async def _load(pool: Any, dsn: str, path: str, function: str) -> dict[str, float]:
    """Load the file into the stage, and merge it as an ingest function would."""
    from headgate.handlers import Spooled, Target
    from headgate.worker.chunks import Stage
    from headgate.worker.loading import drain, make_pipe

    with tempfile.TemporaryDirectory() as folder, psycopg.connect(dsn, autocommit=True) as target:
        columns = tuple(target.execute(COLUMNS).fetchall())
        place = Path(folder, "a.parquet")
        place.symlink_to(f"{path}.parquet")
        file = Spooled(1, place.name, place.name, "0" * 64, 0, None, "")
        files = [] if function == "public.unknown" else [file]
        pipe = make_pipe(Path(folder))
        task = _task("load", folder, files=files, stage=Target(columns, (1, 1), str(pipe)))
        is_over = threading.Event()
        started = time.perf_counter()
        draining = asyncio.create_task(
            asyncio.to_thread(drain, _connecting(dsn), pipe, Stage(STAGE, columns), is_over)
        )
        done = await pool.run(task)
        is_over.set()
        await draining
        staged = time.perf_counter()
        target.execute(MERGE)
        merged = time.perf_counter()
    return {
        "rows": 0,
        "seconds": staged - started,
        "merge_seconds": merged - staged,
        "peak_mb": max(peak_bytes(), done.peak_memory) / 2**20,
    }


def _task(handler: str, folder: str, **more: Any) -> Any:
    from headgate.handlers import Input, Task

    context = {"now": "2026-01-01T00:00:00+00:00"}
    return Task(
        handler, "bench", context, [1], ["A"], [None], Input(), None, PATIENCE, 2**30, folder=folder, **more
    )  # fmt: skip


def _connecting(dsn: str) -> Callable[[], psycopg.Connection[Any]]:
    return lambda: psycopg.connect(dsn, autocommit=True)


if __name__ == "__main__":
    side, *given = sys.argv[1:]
    print(json.dumps(asyncio.run(_ours(*given)) if side == "ours" else _bare(*given)))
