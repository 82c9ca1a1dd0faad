"""`headgate status`: what ran, what runs, and how far it is."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from psycopg import Connection
from psycopg.rows import DictRow

from runner.commands import console
from runner.commands.options import AsJson
from runner.errors import InvalidValue, UnknownExecution

COUNTS = ("planned", "succeeded", "failed", "deferred", "skipped")
RECENT = 10

EXECUTIONS = """
select * from headgate.v_recent_executions as e
where (%(pipeline)s::text is null or e.pipeline = %(pipeline)s)
    and (%(run_id)s::text is null or e.run_id = %(run_id)s)
order by e.started_at desc
limit %(limit)s
"""
STEPS = """
select * from headgate.v_execution_steps as s
where s.pipeline = %(pipeline)s and s.run_id = %(run_id)s
"""
STATUS = (
    "select * from headgate.execution_status(p_pipeline => %(pipeline)s, p_run_id => %(run_id)s)"
)


def status(
    run_id: Annotated[
        str | None, typer.Argument(help="A run; without it the latest runs.", show_default=False)
    ] = None,
    pipeline: Annotated[
        str | None, typer.Option(help="Only of this pipeline.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the latest runs, or the steps of one."""
    settings = console.ready_settings()
    with console.open_database(settings, "status") as connection:
        if run_id is None:
            _show_recent(connection, pipeline, as_json)
        else:
            _show_run(connection, find_run(connection, pipeline, run_id), as_json)


def find_run(connection: Connection[DictRow], pipeline: str | None, run_id: str) -> DictRow:
    """Return the one execution of that name; raises when there is none or more than one."""
    names = {"pipeline": pipeline, "run_id": run_id, "limit": 2}
    rows = connection.execute(EXECUTIONS, names).fetchall()
    if not rows:
        where = f" of pipeline {pipeline}" if pipeline else ""
        raise UnknownExecution(
            f"there is no run {run_id!r}{where}", hint="headgate status lists them"
        )
    if len(rows) > 1:
        raise InvalidValue(f"several pipelines have a run {run_id!r}", hint="say which: --pipeline")
    return rows[0]


def steps_of(connection: Connection[DictRow], pipeline: str, run_id: str) -> list[DictRow]:
    """Return the steps of an execution, in order."""
    return connection.execute(STEPS, {"pipeline": pipeline, "run_id": run_id}).fetchall()


def _show_recent(connection: Connection[DictRow], pipeline: str | None, as_json: bool) -> None:
    names = {"pipeline": pipeline, "run_id": None, "limit": RECENT}
    rows = connection.execute(EXECUTIONS, names).fetchall()
    if as_json:
        console.print_json(rows)
    elif rows:
        columns = ("pipeline", "run_id", "status", "started_at", "duration", *COUNTS, "units")
        console.print_table(rows, *columns)
    else:
        console.say("nothing has run yet; headgate run PIPELINE starts one")


def _show_run(connection: Connection[DictRow], run: DictRow, as_json: bool) -> None:
    names = {"pipeline": run["pipeline"], "run_id": run["run_id"]}
    now: dict[str, Any] = dict(connection.execute(STATUS, names).fetchone() or {})
    steps = steps_of(connection, run["pipeline"], run["run_id"])
    if as_json:
        console.print_json({**run, **now, "steps": steps})
        return
    flight = ", ".join(f"{x} {now[x]:,}" for x in ("queued", "running", "parked") if now.get(x))
    console.say(f"{run['pipeline']} {run['run_id']}: {now.get('status')} {flight}".rstrip())
    console.print_table(steps, "step", "status", *COUNTS, "started_at", "finished_at")
