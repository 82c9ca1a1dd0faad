"""What a run did, and what still waits and why."""

from __future__ import annotations

from psycopg import Connection
from psycopg.rows import DictRow

from runner.commands import console

WAITING = """
select v.operation, v.meaning as reason, sum(v.assets) as assets, sum(v.units) as units
from headgate.v_deferrals as v
where v.pipeline = %(pipeline)s and v.run_id = %(run_id)s
group by v.operation, v.meaning
order by v.operation, v.meaning
"""
QUERIES = """\
look around:  headgate psql

    select * from headgate.v_execution_steps where run_id = '{run_id}';
    select * from headgate.v_assets_needing_processing limit 20;
    select * from headgate.v_quota;
"""


def waiting_of(connection: Connection[DictRow], pipeline: str, run_id: str) -> list[DictRow]:
    """Return what was due in a run and was put off, by operation and reason."""
    return connection.execute(WAITING, {"pipeline": pipeline, "run_id": run_id}).fetchall()


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
