"""Benchmark lake: do time and memory from crawled files to a table and Parquet grow with the records?

A crawler's files of JSON lines lie in a store. `process_data` cleans each, drops duplicates, writes
Parquet into the store, and copies the rows into a stage, from where an ingest function merges them.
Everything is the product's: a runner with two processes, its queue, its store. What 100,000,000 records would take is extrapolated
from the most that were measured, and said to be so.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from headgate.database import connect
from headgate.settings import Settings
from tests.benchmarks import system
from tests.benchmarks.measure import Figure
from tests.benchmarks.memory import megabytes
from tests.plan import Plan

FAR: Final = 100_000_000
SIZES: Final = (1_250_000, 2_500_000, 5_000_000)
MAX_GROWTH: Final = 1.3
"""Of the time for a record, from the fewest records to the most."""
MAX_MB: Final = 300.0
PROCESSES: Final = 2
DUPLICATES: Final = 50
"""One record of so many is there twice."""
TABLE: Final = """
    create table public.comments (id bigint primary key, post_id bigint, name text, email text, body text);
    create function public.read_raw(p_context jsonb, p_asset_ids bigint[])
    returns table (asset_id bigint, to_fetch bigint[])
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
        select x.asset_id, array_agg(a.artifact_id)
        from headgate.v_assets as x join headgate.v_artifacts as a on a.name = 'raw/' || x.code
        where x.asset_id = any (p_asset_ids)
        group by x.asset_id
    $$;
    create function public.keep_comments(p_context jsonb, p_asset_ids bigint[], p_payloads text[])
    returns setof headgate.ingest_result
    language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
    begin
        execute format(
            'insert into public.comments select s.id, s.post_id, s.name, s.email, s.body from headgate_stage.%I as s'
            ' where s.chunk_id = $1 and s.lease_no = $2 on conflict (id) do nothing',
            p_context ->> 'operation'
        ) using (p_context ->> 'chunk_id')::bigint, (p_context ->> 'lease_no')::integer;
        return query select p_asset_ids[1], 'success', 1, null::timestamptz, null::text;
    end $$;
"""
OPTIONS: Final[dict[str, Any]] = {
    "formats": ["parquet"],
    "key": ["id"],
    "columns": {x: x for x in ("id", "name", "email", "body")} | {"post_id": "postId"},
}


@dataclass(frozen=True, slots=True)
class Measured:
    """What processing so many records took."""

    records: int
    seconds: float
    worker_mb: float
    handler_mb: float

    @property
    def rate(self) -> float:
        """Return records a second."""
        return self.records / self.seconds


def run(
    server: Settings, *, sizes: tuple[int, ...] = SIZES, per_file: int = 25_000
) -> Iterator[Figure]:
    """Process so many records, the fewest first."""
    with (
        system.own_database(server, "lake") as settings,
        connect(settings, "bench") as connection,
    ):
        plan = Plan(connection)
        store = settings.home / "lake"
        system.insert(plan, "stores", name="lake", url=f"file://{store}")
        plan.sql(TABLE)
        (store / "raw").mkdir(parents=True)
        for number in range(1, sizes[-1] // per_file + 1):
            _crawl(plan, store / "raw" / f"N{number}", number, per_file)
        found = [_process(settings, plan, size, per_file) for size in sizes]
    yield from _figures(found)


def _figures(found: list[Measured]) -> Iterator[Figure]:
    first, last = found[0], found[-1]
    rates = ", ".join(f"{x.records:,}: {x.rate:,.0f}" for x in found)
    yield Figure(
        f"lake: {last.records:,} records, file to table and Parquet",
        last.rate,
        unit="records a second",
        detail=f"{last.seconds:.0f} s, {PROCESSES} processes",
    )
    yield Figure(
        f"lake: time for a record, {last.records:,} against {first.records:,}",
        first.rate / last.rate,
        at_most=MAX_GROWTH,
        detail=f"records a second at {rates}",
    )
    for who, peaks in (
        ("a handler's process", [x.handler_mb for x in found]),
        ("the worker", [x.worker_mb for x in found]),
    ):
        yield Figure(
            f"lake: peak of memory of {who}",
            max(peaks),
            unit="MB",
            at_most=MAX_MB,
            detail=", ".join(f"{x:.0f}" for x in peaks),
        )
    yield Figure(
        f"lake: {FAR:,} records, extrapolated",
        FAR / last.rate / 3600,
        unit="h",
        detail=f"not measured: as many times the time of {last.records:,} records",
    )


def _crawl(plan: Plan, path: Path, number: int, count: int) -> None:
    """Write a file as a crawler leaves it: an artifact."""
    chosen = random.Random(number)
    with path.open("w") as file:
        for nth in range(count):
            key = number * count + (nth - 1 if nth % DUPLICATES == 1 else nth)
            words = f"{chosen.getrandbits(256):x}"
            file.write(
                f'{{"postId": {key // 5}, "id": {key}, "name": " comment {key} ", "email":'
                f' "user{key % 9973}@example.test", "body": "{words} {words[::-1]}", "likes": {nth % 90}}}\n'
            )
    system.insert(
        plan, "artifacts", store="lake", name=f"raw/{path.name}", key=f"raw/{path.name}", bytes=path.stat().st_size,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(), media_type="application/x-ndjson",
        created_at=datetime.now(UTC),
    )  # fmt: skip


def _process(settings: Settings, plan: Plan, records: int, per_file: int) -> Measured:
    """Let a new worker process the first files; return what that took."""
    name, files = f"lake_{records}", records // per_file
    operation = {
        "handler": "process_data", "handler_options": OPTIONS, "input_function": "public.read_raw",
        "ingest_function": "public.keep_comments", "store": "lake", "stage": "public.comments", "chunk_size": 1, "timeout": "10 minutes",
        "artifact_name": "clean/{run.id}/{asset.code}",
    }  # fmt: skip
    system.write_plan(plan, name, operation=operation)
    plan.sql(
        "select headgate._open_stage(%(name)s, 'public.comments', 'public.keep_comments')",
        name=name,
    )
    system.add_assets(plan, name, files)
    plan.sql("truncate public.comments")
    with system.worker(settings, processes=PROCESSES) as worker:
        seconds = system.work_off(settings, plan, name, 1, files)
        worker_mb = megabytes(worker.pid, "VmHWM")
    assert plan.scalar("select count(*) from public.comments") == files * kept_of(per_file)
    peak = plan.scalar("select max(peak_memory) from headgate.v_asset_processing_history")
    return Measured(records, seconds, worker_mb, int(peak or 0) / 2**20)


def kept_of(count: int) -> int:
    """Return how many records of a file stay."""
    return count - len(range(1, count, DUPLICATES))
