"""What a run did, and what still waits and why."""

from __future__ import annotations

from typing import Any

from psycopg import Connection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from runner.commands import console

WAITING = """
select
    e.operation,
    count(*) as assets,
    sum(e.units) as units,
    min(e.reason) as reason
from headgate.explain_plan(p_pipeline => %(pipeline)s, p_params => %(params)s) as e
where e.decision = 'defer'
group by e.operation
order by e.operation
"""
QUERIES = """\
look around:  headgate psql

    select * from headgate.v_execution_steps where run_id = '{run_id}';
    select * from headgate.v_assets_needing_processing limit 20;
    select * from headgate.v_quota;
"""


def waiting_of(
    connection: Connection[DictRow], pipeline: str, params: dict[str, Any]
) -> list[DictRow]:
    """Return what is due and would be put off if the pipeline ran again now, by operation."""
    arguments = {"pipeline": pipeline, "params": Jsonb(params)}
    return connection.execute(WAITING, arguments).fetchall()


def print_summary(run: DictRow, steps: list[DictRow], waiting: list[DictRow]) -> None:
    """Print what was planned, what became of it, what it cost, and what to try next."""
    duration = console.as_text(run["duration"])
    print(
        f"{run['pipeline']} {run['run_id']} {run['status']} in {duration}, {run['units']:,} units"
    )
    columns = ("step", "status", "planned", "succeeded", "failed", "deferred", "skipped")
    console.print_table(steps, *columns)
    if waiting:
        print("due, but waiting:")
        console.print_table(waiting, "operation", "assets", "units", "reason")
    print(QUERIES.format(run_id=run["run_id"]))
