"""Benchmark changes: what exports of changes cost the tables' writers, and how fast changes reach files.

The same statements are run on a table whose changes triggers log, on one whose changes a slot reads,
and on one like them without, in turns, all in the same database: rows one by one, a transaction each,
and many rows in a statement. Then a runner exports the changes of each, and a single change, from its
commit to its artifact.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from typing import Final

from psycopg import Connection, sql
from psycopg.rows import DictRow

from headgate.database import connect
from headgate.settings import Settings
from headgate.worker import work
from tests.adopt import adopt
from tests.benchmarks import system
from tests.benchmarks.measure import Figure, per_second, ratio, take_turns
from tests.limits import PATIENCE
from tests.plan import Plan

WAYS: Final = ("triggers", "slot")
LEAST_OF_ROWS: Final = {"triggers": 0.25, "slot": 0.6}
LEAST_OF_TRANSACTIONS: Final = {"triggers": 0.5, "slot": 0.8}
LEAST_RATE: Final = 20_000.0
MAX_LAG: Final = 5.0
COLUMNS: Final = (
    "id bigint primary key, customer text, amount numeric(12, 2), note text, at timestamptz"
)
PLAN: Final = """
    select headgate.begin_plan('public');
    select headgate.put_store('lake', 'file://{folder}/lake');
    select headgate.put_operation('changes_of_' || w.way, due => 'run', changes_of => 'public.' || w.way,
        changes_by => w.way, store => 'lake', artifact_name => w.way || '/{{partition}}/{{part}}.parquet',
        timeout => '10 minutes', handler_options => '{{"types": {{"amount": "numeric(12,2)"}}}}')
    from unnest('{{triggers, slot}}'::text[]) as w (way);
    select headgate.put_pipeline('export_' || w.way) from unnest('{{triggers, slot}}'::text[]) as w (way);
    select headgate.put_step('export_' || w.way, 'export', operations => array['changes_of_' || w.way])
    from unnest('{{triggers, slot}}'::text[]) as w (way);
    select headgate.end_plan();
    select headgate.check_plans();
"""
MANY: Final = """
    insert into public.{table}
    select n, 'customer ' || n % 1000, n * 0.25, md5(n::text), timestamptz '2026-01-01 00:00+00' + n * interval '1 s'
    from generate_series(1, {rows}) as n
"""
COUNT: Final = "select sum(rows) from headgate.v_artifacts where name like %(way)s"
ONE: Final = (
    "insert into public.{table} values (%s, 'customer', 1.25, 'a note', '2026-01-01 00:00+00')"
)


def run(
    server: Settings, *, rows: int = 200_000, singles: int = 2_000, runs: int = 3
) -> Iterator[Figure]:
    """Measure `rows` rows in one statement, and `singles` rows one by one, in turns."""
    with (
        tempfile.TemporaryDirectory() as folder,
        system.own_database(server, "changes") as settings,
        connect(settings, "bench") as connection,
    ):
        plan = Plan(connection)
        _prepare(plan, settings, folder)
        tables = ("bare", *WAYS)
        many: dict[str, list[float]] = {x: [] for x in tables}
        alone: dict[str, list[float]] = {x: [] for x in tables}
        exported: dict[str, list[float]] = {x: [] for x in WAYS}
        lags: dict[str, list[float]] = {x: [] for x in WAYS}

        def write(table: str) -> None:
            connection.execute(f"truncate public.{table}".encode())
            alone[table].append(_write_alone(connection, table, singles))
            connection.execute(f"truncate public.{table}".encode())
            started = time.perf_counter()
            connection.execute(MANY.format(table=table, rows=rows).encode())
            many[table].append(rows / (time.perf_counter() - started))

        def export(way: str) -> None:
            _export(plan, settings, way)  # a slot passes by what the others wrote
            write(way)
            exported[way].append((rows + singles) / _export(plan, settings, way))
            _export(plan, settings, way)
            connection.execute(ONE.format(table=way).encode(), (rows + 1,))
            lags[way].append(_export(plan, settings, way))

        take_turns(runs, partial(write, "bare"), *(partial(export, x) for x in WAYS))
        expected = runs * (rows + singles + 3)  # truncated twice, and a single one
        for way in WAYS:
            assert plan.scalar(COUNT, way=f"{way}/%") == expected
    for way in WAYS:
        yield Figure(
            f"changes: {rows:,} rows in a statement, {way} against bare",
            ratio(many[way], many["bare"]),
            at_least=LEAST_OF_ROWS[way],
            detail=f"rows: {per_second(way, many[way])}, {per_second('bare', many['bare'])}",
        )
        yield Figure(
            f"changes: {singles:,} transactions of a row, {way} against bare",
            ratio(alone[way], alone["bare"]),
            at_least=LEAST_OF_TRANSACTIONS[way],
            detail=f"{per_second(way, alone[way])}, {per_second('bare', alone['bare'])}",
        )
        yield Figure(
            f"changes: {rows:,} and {singles:,} changes to Parquet, {way}",
            sorted(exported[way])[len(exported[way]) // 2],
            unit="changes/s",
            at_least=LEAST_RATE,
        )
        yield Figure(
            f"changes: lag of a single change, with a runner that has just started, {way}",
            sorted(lags[way])[len(lags[way]) // 2],
            unit="s",
            at_most=MAX_LAG,
        )


def _prepare(plan: Plan, settings: Settings, folder: str) -> None:
    """Create the tables, declare their exports, and create the slot."""
    for table in ("bare", *WAYS):
        plan.sql(f"create table public.{table} ({COLUMNS})")
    plan.sql("alter table public.slot replica identity full")
    plan.sql("alter role headgate_owner replication")
    database = sql.Identifier(settings.database)
    grant = sql.SQL("grant create on database {} to headgate_owner").format(database)
    plan.connection.execute(grant)
    adopt(plan.connection)
    plan.connection.execute(PLAN.format(folder=folder).encode())
    plan.sql("select headgate.keep_slots()")


def _write_alone(connection: Connection[DictRow], table: str, count: int) -> float:
    statement = ONE.format(table=table).encode()
    started = time.perf_counter()
    for number in range(count):
        connection.execute(statement, (number,))
    return count / (time.perf_counter() - started)


def _export(plan: Plan, settings: Settings, way: str) -> float:
    """Run an export; return its duration."""
    pipeline = f"export_{way}"
    run_id = plan.row("run_pipeline", p_pipeline=pipeline)["run_id"]

    async def has_ended() -> bool:
        status = plan.row("execution_status", p_pipeline=pipeline, p_run_id=run_id)["status"]
        assert status in ("running", "succeeded"), status
        return bool(status != "running")

    async def export() -> None:
        async with asyncio.timeout(10 * PATIENCE):
            await work(settings, until=has_ended, processes=1)

    started = time.perf_counter()
    asyncio.run(export())
    return time.perf_counter() - started
