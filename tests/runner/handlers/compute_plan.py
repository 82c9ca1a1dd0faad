"""A plan whose one operation computes: means of closes, read and written by SQL functions."""

from __future__ import annotations

from typing import Any

from psycopg.types.json import Jsonb

from tests.adopt import adopt
from tests.limits import PATIENCE
from tests.plan import Plan
from tests.runner.small_plan import insert

TABLES = """
    create table public.bars (asset_id bigint, date date, close float8, primary key (asset_id, date));
    create table public.means (
        asset_id bigint primary key, mean float8 check (mean < 'infinity'), bars integer not null, last_date date
    );
    create function public.read_bars(p_context jsonb, p_asset_ids bigint[])
    returns table (asset_id bigint, dates date[], close float8[]) language sql stable security definer
    set search_path = pg_catalog, pg_temp as $$
        select b.asset_id, array_agg(b.date order by b.date), array_agg(b.close order by b.date)
        from public.bars as b where b.asset_id = any (p_asset_ids) group by b.asset_id
    $$;
    create function public.keep_means(p_context jsonb, p_asset_ids bigint[], p_rows public.means[])
    returns setof headgate.ingest_result language plpgsql security definer
    set search_path = pg_catalog, pg_temp as $$
    begin
        return query
        with kept as (
            insert into public.means select r.* from unnest(p_rows) as r
            on conflict (asset_id) do update set mean = excluded.mean, bars = excluded.bars, last_date = excluded.last_date
            returning *
        )
        select k.asset_id, 'success', 1, k.last_date::timestamp at time zone 'UTC', null::text from kept as k;
    end $$;
    grant execute on function public.read_bars(jsonb, bigint[]) to headgate_runner;
"""


def write_plan(
    plan: Plan,
    handler: str,
    *,
    assets: int = 10,
    bars: int = 5,
    **operation: Any,
) -> None:
    """Write the operation `mean` with this handler, its assets with their bars, and a pipeline."""
    plan.sql(TABLES)
    adopt(plan.connection)
    plan.sql("select headgate.check_plans()")
    columns = {
        "due_rule": "once",
        "input_function": "public.read_bars",
        "ingest_function": "public.keep_means",
        "chunk_size": 100,
        "timeout": f"{PATIENCE:.0f} seconds",
    }
    insert(
        plan,
        "operations",
        name="mean",
        universe="paper",
        provider_id=plan.scalar("select provider_id from headgate.providers where name = 'local'"),
        handler=handler,
        **{**columns, **operation},
    )
    add_pipeline(plan, "mean")
    add_assets(plan, assets, bars)


def add_pipeline(plan: Plan, operation: str) -> None:
    """Write a pipeline `compute` whose one step is this operation."""
    insert(plan, "pipelines", name="compute")
    plan.sql(
        "insert into headgate.pipeline_steps (pipeline_id, step, position, kind, operations)"
        " select pipeline_id, 'all', 1, 'fan_out', array[%(operation)s] from headgate.pipelines",
        operation=operation,
    )
    adopt(plan.connection)
    plan.sql("select headgate.check_plans()")


def add_assets(plan: Plan, assets: int, bars: int, *, table: str = "public.bars") -> None:
    """Add papers P0, P1, ... with this many bars each, with closes 1, 2, 3, ..."""
    plan.call(
        "upsert_assets",
        p_universe="paper",
        p_assets=Jsonb([{"code": f"P{n}", "group_key": "G"} for n in range(assets)]),
    )
    plan.sql(
        f"insert into {table} select a.asset_id, date '2026-01-01' + n, n"
        " from headgate.assets as a, generate_series(1, %(bars)s) as n where a.universe = 'paper'",
        bars=bars,
    )


def start(plan: Plan, run_id: str = "r1") -> None:
    """Start an execution that the runners carry through."""
    adopt(plan.connection)
    plan.call("run_pipeline", p_pipeline="compute", p_run_id=run_id)


def status(plan: Plan, run_id: str = "r1") -> dict[str, Any]:
    """Return the execution's status and counters."""
    return plan.row("execution_status", p_pipeline="compute", p_run_id=run_id)


def ends(plan: Plan) -> dict[str, set[tuple[str, str | None]]]:
    """Return each job's status and reason by asset."""
    rows = plan.sql(
        "select a.code, d.status, d.reason from headgate.asset_processing_details as d"
        " join headgate.assets as a using (asset_id)"
    )
    found: dict[str, set[tuple[str, str | None]]] = {}
    for row in rows:
        found.setdefault(row["code"], set()).add((row["status"], row["reason"]))
    return found
