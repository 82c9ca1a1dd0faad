"""Another database of the same server as a source, a role that may only read it, and a plan over it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg import Connection, sql
from psycopg.conninfo import make_conninfo
from psycopg.types.json import Jsonb

from headgate.database import connect, dsn_of
from headgate.settings import Settings
from headgate.worker.worker import work
from tests.adopt import adopt
from tests.limits import PATIENCE
from tests.plan import Plan

VARIABLE = "SHOP_DATABASE"
PASSWORD = "correct-horse-battery"
ROLE = f"headgate_test_reader_{os.getpid()}"
ORDERS = """
    create table public.orders (
        order_id bigint primary key, customer text not null, amount numeric, changed_at timestamptz not null
    );
    insert into public.orders
    select n, 'c' || n % 2, n * 1.5, timestamptz '2026-01-01 00:00+00' + n * interval '1 hour'
    from generate_series(1, 6) as n;
"""


class Source(Plan):
    """The source, as its owner."""

    def __init__(self, connection: Connection[Any], dsn: str) -> None:
        super().__init__(connection)
        self.dsn = dsn

    def dsn_for_reader(self, **more: str) -> str:
        """Return the connection string for runners."""
        return make_conninfo(self.dsn, **({"user": ROLE, "password": PASSWORD} | more))


@contextmanager
def filled(settings: Settings) -> Iterator[Source]:
    """Fill an empty database with orders, and create a role that may read them."""
    with connect(settings, "test") as connection:
        source = Source(connection, dsn_of(settings))
        source.sql(ORDERS)
        role = sql.SQL("create role {} login password {}")
        connection.execute(role.format(sql.Identifier(ROLE), PASSWORD))
        source.sql(f"grant select on public.orders to {ROLE}")
        try:
            yield source
        finally:
            source.sql(f"drop owned by {ROLE}")
            source.sql(f"drop role {ROLE}")


def declare(plan: Plan, ingest: str, operation: str, **values: Any) -> None:
    """Declare the plan `public`: the database, one operation over two customers, a pipeline."""
    plan.sql("set check_function_bodies = off")  # as migrate does
    plan.sql(ingest)
    adopt(plan.connection)
    with plan.connection.transaction():
        for part in (
            "begin_plan('public')",
            f"put_provider('orders_db', kind => 'postgres', secret_name => '{VARIABLE}', quota => 100)",
            operation,
            "put_pipeline('orders')",
            "put_step('orders', 'read', operations => '{read_orders}')",
            "end_plan()",
            "check_plans()",
            "note_schema()",
        ):
            if part == "end_plan()":
                adopt(plan.connection)
            plan.sql(f"select headgate.{part}", **values)
    customers = [
        {"code": f"c{n}", "group_key": "G", "attributes": {"schema": "public"}} for n in (0, 1)
    ]
    plan.call("upsert_assets", p_universe="customers", p_assets=Jsonb(customers))


async def work_off(settings: Settings, plan: Plan, run_id: str = "r1") -> dict[str, Any]:
    """Run the pipeline with a worker to its end; return the outcome."""
    plan.call("run_pipeline", p_pipeline="orders", p_run_id=run_id)

    async def has_ended() -> bool:
        return bool(outcome(plan, run_id)["status"] != "running")

    async with asyncio.timeout(PATIENCE):
        await work(settings, until=has_ended)
    return outcome(plan, run_id)


def outcome(plan: Plan, run_id: str) -> dict[str, Any]:
    """Return the run's status and counters."""
    return plan.row("execution_status", p_pipeline="orders", p_run_id=run_id)


def reasons(plan: Plan) -> str:
    """Return all errors kept with jobs."""
    return str(
        plan.scalar("select string_agg(d::text, ' ') from headgate.asset_processing_details as d")
    )
