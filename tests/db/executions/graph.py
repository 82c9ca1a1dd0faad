"""Pipeline `graph`, added to the toy world by a test, with steps as keyword arguments."""

from __future__ import annotations

from typing import Any

from tests.adopt import adopt
from tests.db.toy import Toy
from tests.plan import Row

FUNCTIONS = """
create or replace function toy.well(p_pipeline text, p_run_id text) returns jsonb language sql
as 'select jsonb_build_object(''run'', p_run_id)';
create or replace function toy.badly(p_pipeline text, p_run_id text) returns jsonb language plpgsql
as 'begin raise exception ''no ground'' using hint = ''look down'', detail = ''three metres''; end';
"""


def graph(toy: Toy, **steps: dict[str, Any]) -> None:
    """Insert the pipeline; a step has a `function` of schema toy or `operations`, and further columns."""
    toy.sql(FUNCTIONS)
    toy.sql("insert into headgate.pipelines (name) values ('graph')")
    for position, (name, given) in enumerate(steps.items()):
        function: str | None = given.get("function")
        toy.sql(
            "insert into headgate.pipeline_steps (pipeline_id, step, position, kind, depends_on,"
            " trigger_rule, function, operations, group_keys, may_fail, condition) select pipeline_id,"
            " %(name)s, %(position)s, case when %(function)s::text is null then 'fan_out'"
            " else 'function' end, %(depends_on)s::text[], %(rule)s, %(function)s,"
            " %(operations)s::text[], %(group_keys)s::text[], %(may_fail)s, %(condition)s::text::jsonpath"
            " from headgate.pipelines where name = 'graph'",
            name=name,
            position=position,
            function=function if function is None or "." in function else f"toy.{function}",
            depends_on=given.get("depends_on", []),
            rule=given.get("trigger_rule", "all_success"),
            operations=given.get("operations"),
            group_keys=given.get("group_keys"),
            may_fail=given.get("may_fail", False),
            condition=given.get("condition"),
        )
        toy.sql(
            "update headgate.pipeline_steps as s set retries = g.retries,"
            " retry_delay = coalesce(g.retry_delay, s.retry_delay), timeout = g.timeout,"
            " retry_backoff = coalesce(g.retry_backoff, 1)"
            " from (select %(retries)s::int, %(delay)s::interval, %(backoff)s::real, %(timeout)s::interval)"
            " as g (retries, retry_delay, retry_backoff, timeout) where s.step = %(name)s"
            " and s.pipeline_id = (select pipeline_id from headgate.pipelines where name = 'graph')",
            name=name,
            retries=given.get("retries", 0),
            delay=given.get("retry_delay"),
            backoff=given.get("retry_backoff"),
            timeout=given.get("timeout"),
        )
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
