"""Benchmark changes: what a table's log costs its writers, and how fast changes reach files.

The same statements are run on a table whose changes are exported and on one like it without, in
turns, both in the same database: rows one by one, a transaction each, and many rows in a statement.
Then a runner exports what was logged, and a single change, from its commit to its artifact.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from typing import Final

from psycopg import Connection
from psycopg.rows import DictRow

from headgate.database import connect
from headgate.settings import Settings
from headgate.worker import work
from tests.adopt import adopt
from tests.benchmarks import system
from tests.benchmarks.measure import Figure, per_second, ratio, take_turns
from tests.limits import PATIENCE
from tests.plan import Plan

LEAST_OF_ROWS: Final = 0.25
LEAST_OF_TRANSACTIONS: Final = 0.5
LEAST_RATE: Final = 20_000.0
MAX_LAG: Final = 5.0
COLUMNS: Final = (
    "id bigint primary key, customer text, amount numeric(12, 2), note text, at timestamptz"
)
PLAN: Final = """
    select headgate.begin_plan('public');
    select headgate.put_store('lake', 'file://{folder}/lake');
    select headgate.put_operation('order_changes', due => 'run', changes_of => 'public.logged', store => 'lake',
        artifact_name => '{{partition}}/{{part}}.parquet', timeout => '10 minutes',
        handler_options => '{{"types": {{"amount": "numeric(12,2)"}}}}');
    select headgate.put_pipeline('lake');
    select headgate.put_step('lake', 'export', operations => '{{order_changes}}');
    select headgate.end_plan();
    select headgate.check_plans();
"""
MANY: Final = """
    insert into public.{table}
    select n, 'customer ' || n % 1000, n * 0.25, md5(n::text), timestamptz '2026-01-01 00:00+00' + n * interval '1 s'
    from generate_series(1, {rows}) as n
"""
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
        for table in ("logged", "bare"):
            plan.sql(f"create table public.{table} ({COLUMNS})")
        adopt(connection)
        connection.execute(PLAN.format(folder=folder).encode())
        many: dict[str, list[float]] = {"logged": [], "bare": []}
        alone: dict[str, list[float]] = {"logged": [], "bare": []}
        exported: list[float] = []
        lags: list[float] = []

        def write(table: str) -> None:
            connection.execute(f"truncate public.{table}".encode())
            alone[table].append(_write_alone(connection, table, singles))
            connection.execute(f"truncate public.{table}".encode())
            started = time.perf_counter()
            connection.execute(MANY.format(table=table, rows=rows).encode())
            many[table].append(rows / (time.perf_counter() - started))

        def export() -> None:
            logged = int(plan.scalar("select count(*) from headgate_changes.order_changes"))
            exported.append(logged / _export(plan, settings))
            connection.execute(ONE.format(table="logged").encode(), (rows + 1,))
            lags.append(_export(plan, settings))
            assert plan.scalar("select count(*) from headgate_changes.order_changes") == 0

        take_turns(runs, lambda: write("bare"), lambda: write("logged"), export)
    yield Figure(
        f"changes: {rows:,} rows in a statement, logged against bare",
        ratio(many["logged"], many["bare"]),
        at_least=LEAST_OF_ROWS,
        detail=f"rows: {per_second('logged', many['logged'])}, {per_second('bare', many['bare'])}",
    )
    yield Figure(
        f"changes: {singles:,} transactions of a row, logged against bare",
        ratio(alone["logged"], alone["bare"]),
        at_least=LEAST_OF_TRANSACTIONS,
        detail=f"{per_second('logged', alone['logged'])}, {per_second('bare', alone['bare'])}",
    )
    yield Figure(
        f"changes: {rows:,} and {singles:,} changes to Parquet",
        sorted(exported)[len(exported) // 2],
        unit="changes/s",
        at_least=LEAST_RATE,
    )
    yield Figure(
        "changes: lag of a single change, with a runner that has just started",
        sorted(lags)[len(lags) // 2],
        unit="s",
        at_most=MAX_LAG,
    )


def _write_alone(connection: Connection[DictRow], table: str, count: int) -> float:
    statement = ONE.format(table=table).encode()
    started = time.perf_counter()
    for number in range(count):
        connection.execute(statement, (number,))
    return count / (time.perf_counter() - started)


def _export(plan: Plan, settings: Settings) -> float:
    """Run the export; return its duration."""
    run_id = plan.row("run_pipeline", p_pipeline="lake")["run_id"]

    async def has_ended() -> bool:
        status = plan.row("execution_status", p_pipeline="lake", p_run_id=run_id)["status"]
        assert status in ("running", "succeeded"), status
        return bool(status != "running")

    async def export() -> None:
        async with asyncio.timeout(10 * PATIENCE):
            await work(settings, until=has_ended, processes=1)

    started = time.perf_counter()
    asyncio.run(export())
    return time.perf_counter() - started
