"""Plan `chain`: each step calls one service on 127.0.0.1, and a report ends the run."""

from __future__ import annotations

from typing import Any

from psycopg.types.json import Jsonb

from tests.adopt import adopt
from tests.plan import Plan
from tests.runner.small_plan import GONE, INGEST, OK, insert

PIPELINE = "chain"
SERVICES = ("fetch", "analyze", "write")
FUNCTIONS = """
create or replace function public.report(p_pipeline text, p_run_id text) returns jsonb language sql
security definer set search_path = pg_catalog, pg_temp as $$ select d.document -> 'steps' from headgate.v_run_documents as d
where d.pipeline = p_pipeline and d.run_id = p_run_id $$;
"""


def write_chain(plan: Plan, base_url: str, **services: dict[str, Any]) -> None:
    """Insert services as consecutive steps, due in every run; a keyword changes an operation's row."""
    plan.sql(INGEST)
    plan.sql(FUNCTIONS)
    insert(plan, "providers", name="svc", base_url=base_url, auth={"in": "none"})
    for position, rule in enumerate((OK, GONE)):
        plan.sql(
            "insert into headgate.response_rules (provider_id, position, status, outcome, fault, reason)"
            " select provider_id, %(position)s, %(status)s, %(outcome)s, %(fault)s, %(reason)s"
            " from headgate.providers where name = 'svc'",
            position=position,
            **rule,
        )
    insert(plan, "pipelines", name=PIPELINE)
    for service in SERVICES:
        columns: dict[str, Any] = {
            "universe": service, "due_rule": "every", "due_every": "1 microsecond", "method": "POST",
            "path": "/{asset.code}", "ingest_function": "public.keep_answers",
        }  # fmt: skip
        provider = plan.scalar("select provider_id from headgate.providers where name = 'svc'")
        given = services.get(service, {})
        insert(plan, "operations", name=service, provider_id=provider, **{**columns, **given})
    add_step(plan, "fetch", operations=["fetch"])
    add_step(plan, "analyze", operations=["analyze"], depends_on=["fetch"])
    add_step(plan, "write", operations=["write"], depends_on=["analyze"])
    add_step(
        plan, "report", function="public.report", depends_on=["write"], trigger_rule="all_done"
    )
    adopt(plan.connection)
    plan.sql("select headgate.check_plans()")
    for service in SERVICES:
        add_service(plan, service)


def add_step(plan: Plan, step: str, **columns: Any) -> None:
    """Add a step after the existing ones."""
    names = {
        "kind": "function" if "function" in columns else "fan_out",
        "pipeline_id": plan.scalar(
            "select pipeline_id from headgate.pipelines where name = 'chain'"
        ),
        "position": plan.scalar("select count(*)::int from headgate.pipeline_steps"),
    }
    insert(plan, "pipeline_steps", step=step, **names, **columns)


def add_service(plan: Plan, universe: str, code: str | None = None, **attributes: Any) -> None:
    """Add a service that an operation of the universe calls."""
    asset = {"code": code or universe, "group_key": "G", "attributes": attributes}
    plan.call("upsert_assets", p_universe=universe, p_assets=Jsonb([asset]))


def steps(plan: Plan, run_id: str = "r1") -> dict[str, str]:
    """Return each step's status."""
    rows = plan.sql(
        "select step, status from headgate.v_execution_steps where run_id = %(run_id)s",
        run_id=run_id,
    )
    return {x["step"]: x["status"] for x in rows}


def output(plan: Plan, step: str, run_id: str = "r1") -> Any:
    """Return what a step returned."""
    return plan.scalar(
        "select output from headgate.v_execution_steps where run_id = %(run_id)s and step = %(step)s",
        run_id=run_id,
        step=step,
    )


def status(plan: Plan, run_id: str = "r1") -> str:
    """Return a run's status."""
    return str(plan.row("execution_status", p_pipeline=PIPELINE, p_run_id=run_id)["status"])
