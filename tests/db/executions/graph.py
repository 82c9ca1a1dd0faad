"""Pipeline `graph`, added to the toy world by a test, with steps as keyword arguments."""

from __future__ import annotations

from typing import Any

from psycopg.types.json import Jsonb

from tests.adopt import adopt
from tests.db.toy import Toy
from tests.plan import Row

FUNCTIONS = """
create or replace function toy.well(p_pipeline text, p_run_id text) returns jsonb language sql
as 'select jsonb_build_object(''run'', p_run_id)';
create or replace function toy.badly(p_pipeline text, p_run_id text) returns jsonb language plpgsql
as 'begin raise exception ''no ground'' using hint = ''look down'', detail = ''three metres''; end';
"""

STEPS = """
insert into headgate.pipeline_steps (
    pipeline_id, step, position, kind, depends_on, trigger_rule, function, operations, group_keys, may_fail, condition,
    retries, retry_delay, retry_backoff, timeout
)
select
    p.pipeline_id, s.step, s.nth - 1, case when s.function is null then 'fan_out' else 'function' end,
    coalesce(s.depends_on, '{}'), coalesce(s.trigger_rule, 'all_success'),
    case when s.function like '%%.%%' then s.function else 'toy.' || s.function end, s.operations, s.group_keys,
    coalesce(s.may_fail, false), s.condition::jsonpath, coalesce(s.retries, 0),
    coalesce(s.retry_delay, interval '5 minutes'), coalesce(s.retry_backoff, 1), s.timeout
from rows from (
    jsonb_to_recordset(%(steps)s) as (
        step text, function text, operations text[], group_keys text[], depends_on text[], trigger_rule text,
        may_fail boolean, condition text, retries integer, retry_delay interval, retry_backoff real, timeout interval
    )
) with ordinality as s (
    step, function, operations, group_keys, depends_on, trigger_rule, may_fail, condition, retries, retry_delay,
    retry_backoff, timeout, nth
)
cross join headgate.pipelines as p
where p.name = 'graph'
"""


def graph(toy: Toy, **steps: dict[str, Any]) -> None:
    """Insert the pipeline; a step has a `function` of schema toy or `operations`, and further columns."""
    toy.sql(FUNCTIONS)
    toy.sql("insert into headgate.pipelines (name) values ('graph')")
    toy.sql(STEPS, steps=Jsonb([{"step": name, **given} for name, given in steps.items()]))
    adopt(toy.connection, "toy")
    toy.sql("select headgate.check_plans()")


def start(toy: Toy, run: str = "r1", driver: str = "headgate") -> None:
    """Start a run of the pipeline."""
    toy.start(run, "graph", p_driver=driver)


def steps(toy: Toy, run: str = "r1") -> dict[str, str]:
    """Return each step's status."""
    rows = toy.sql(
        "select step, status from headgate.v_execution_steps"
        " where pipeline = 'graph' and run_id = %(run)s",
        run=run,
    )
    return {x["step"]: x["status"] for x in rows}


def step(toy: Toy, name: str, run: str = "r1") -> Row:
    """Return a step's row."""
    (row,) = toy.sql(
        "select * from headgate.v_execution_steps"
        " where pipeline = 'graph' and run_id = %(run)s and step = %(name)s",
        run=run,
        name=name,
    )
    return row


def status(toy: Toy, run: str = "r1") -> str:
    """Return the run's status."""
    return str(toy.execution(run, "graph")["status"])


def work(toy: Toy, *failing: str) -> list[str]:
    """Work off all chunks, with these steps' jobs failing; return the steps claimed, in order."""
    worked = []
    while claimed := toy.claim(chunks=1):
        for chunk in claimed:
            worked.append(chunk["step"])
            toy.complete(chunk, "failed" if chunk["step"] in failing else "success")
    return worked


def retry(toy: Toy, **more: Any) -> Row:
    """Retry r1."""
    return toy.row("retry_failed", p_pipeline="graph", p_run_id="r1", **more)


def mark(toy: Toy, step: str, status: str) -> Row:
    """Mark a step of r1."""
    names = {"p_pipeline": "graph", "p_run_id": "r1", "p_step": step}
    return toy.row("mark_step", **names, p_status=status)
