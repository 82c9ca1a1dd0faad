"""Minimal plan with work for a runner: one step over a few assets, inserted as rows."""

from __future__ import annotations

from typing import Any

from psycopg.types.json import Jsonb

from tests.adopt import adopt
from tests.limits import PATIENCE
from tests.plan import Plan

OK = {"status": "200", "outcome": "success", "fault": "item", "reason": "answered"}
GONE = {"status": "404", "outcome": "failed", "fault": "item", "reason": "no such thing"}
USED_UP = {
    "status": "402",
    "outcome": "deferred",
    "fault": "provider",
    "reason": "used up",
    "blocks": "reset",
}
REFUSED = {
    "status": "401-403",
    "outcome": "deferred",
    "fault": "internal",
    "reason": "refused",
    "blocks": "execution",
}
RULES = (OK, GONE, USED_UP, REFUSED)

INGEST = """
    create table if not exists public.answers (
        asset_id bigint, payload text, at timestamptz default clock_timestamp()
    );
    create or replace function public.keep_answers(
        p_context jsonb, p_asset_ids bigint[], p_payloads text[]
    )
    returns setof headgate.ingest_result language plpgsql security definer
    set search_path = pg_catalog, pg_temp as $func$
    begin
        insert into public.answers (asset_id, payload)
        select * from unnest(p_asset_ids, p_payloads);
        return query select u.asset_id, 'success', 1, null::timestamptz, null::text
            from unnest(p_asset_ids) as u (asset_id);
    end;
    $func$;
"""


def write_plan(
    plan: Plan,
    *,
    base_url: str | None = None,
    assets: int = 10,
    provider: str = "shop",
    auth: dict[str, str] | None = None,
    secret_name: str | None = None,
    rules: tuple[dict[str, Any], ...] = RULES,
    provider_columns: dict[str, Any] | None = None,
    operation_columns: dict[str, Any] | None = None,
) -> None:
    """Insert a provider, an operation, its assets and a pipeline `small_<provider>` with one step `all`."""
    plan.sql(INGEST)
    path = "/things/{asset.code}" if base_url else None
    insert(
        plan,
        "providers",
        name=provider,
        base_url=base_url,
        auth=auth or {"in": "none"},
        secret_name=secret_name,
        **(provider_columns or {}),
    )
    for position, rule in enumerate(rules):
        plan.sql(
            "insert into headgate.response_rules"
            " (provider_id, position, status, content_type, body, outcome, fault, blocks, charged, reason)"
            " select p.provider_id, %(position)s, r.status, r.content_type, r.body, r.outcome,"
            " coalesce(r.fault, 'item'), r.blocks, coalesce(r.charged, true), r.reason"
            " from headgate.providers as p,"
            " jsonb_populate_record(null::headgate.response_rules, %(rule)s) as r"
            " where p.name = %(provider)s",
            position=position,
            rule=rule,
            provider=provider,
        )
    insert(
        plan,
        "operations",
        name=f"look_{provider}",
        universe=provider,
        provider_id=plan.scalar(
            "select provider_id from headgate.providers where name = %(name)s", name=provider
        ),
        ingest_function="public.keep_answers" if base_url else None,
        **{"timeout": f"{PATIENCE:.0f} s", "due_rule": "once", "path": path}
        | (operation_columns or {}),
    )
    insert(plan, "pipelines", name=f"small_{provider}")
    plan.sql(
        "insert into headgate.pipeline_steps (pipeline_id, step, position, kind, operations)"
        " select pipeline_id, 'all', 1, 'fan_out', array[%(operation)s]"
        " from headgate.pipelines where name = %(name)s",
        operation=f"look_{provider}",
        name=f"small_{provider}",
    )
    adopt(plan.connection)
    plan.sql("select headgate.check_plans()")
    plan.call(
        "upsert_assets",
        p_universe=provider,
        p_assets=Jsonb([{"code": f"T{n}", "group_key": "G"} for n in range(assets)]),
    )


def insert(plan: Plan, table: str, **columns: Any) -> None:
    """Insert a row into a table of headgate; omitted columns keep their defaults."""
    names = ", ".join(columns)
    values = ", ".join(f"%({name})s" for name in columns)
    plan.sql(f"insert into headgate.{table} ({names}) values ({values})", **columns)


def start(plan: Plan, run_id: str = "r1", *, provider: str = "shop") -> None:
    """Start an execution that Headgate's runners drive."""
    adopt(plan.connection)
    plan.call("run_pipeline", p_pipeline=f"small_{provider}", p_run_id=run_id)


def status(plan: Plan, run_id: str = "r1", *, provider: str = "shop") -> dict[str, Any]:
    """Return the execution's status and counters."""
    return plan.row("execution_status", p_pipeline=f"small_{provider}", p_run_id=run_id)


def name_the_date(plan: Plan) -> None:
    """Let the requests of small_shop contain a date."""
    plan.sql(
        """update headgate.operations set query = '{"day": "{run.date}"}' where name = 'look_shop'"""
    )
