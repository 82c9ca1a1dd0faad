"""`headgate status`: shows the latest runs, their progress, and what they wait for."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from psycopg import Connection
from psycopg.rows import DictRow

from headgate.cli.commands import console
from headgate.cli.commands.elsewhere import elsewhere
from headgate.cli.commands.facts import held
from headgate.cli.commands.options import AsJson, OfPipeline
from headgate.cli.commands.summary import STEP_COLUMNS, print_next, print_waiting
from headgate.database import mapped_errors
from headgate.errors import UnknownExecution
from headgate.reports import ENDED, EXECUTIONS, check_pipeline, facts_of, now_of, run_of
from headgate.settings import Settings

COUNTS = ("planned", "succeeded", "failed", "deferred", "skipped")
RECENT = 10

STATUS = (
    "select * from headgate.execution_counts(p_pipeline => %(pipeline)s, p_run_id => %(run_id)s)"
)


def status(
    run_id: Annotated[
        str | None, typer.Argument(help="A run; without it the latest runs.", show_default=False)
    ] = None,
    pipeline: OfPipeline = None,
    as_json: AsJson = False,
) -> None:
    """Show the latest runs, or the steps of one, what it waits for and how to continue."""
    settings = console.ready_settings()
    with console.open_database(settings, "status") as connection, mapped_errors():
        if run_id is not None:
            run = find_run(connection, settings, pipeline, run_id)
            _show_run(connection, settings, run, as_json)
            return
        check_pipeline(connection, pipeline)
        _show_recent(connection, settings, pipeline, as_json)


def find_run(
    connection: Connection[DictRow], settings: Settings, pipeline: str | None, run_id: str
) -> DictRow:
    """Return the run of that name; the error of `run_of` also names databases that have runs."""
    try:
        return run_of(connection, pipeline, run_id)
    except UnknownExecution as exc:
        exc.hint = "; ".join([x for x in (exc.hint, *elsewhere(settings)) if x])
        raise


def _show_recent(
    connection: Connection[DictRow], settings: Settings, pipeline: str | None, as_json: bool
) -> None:
    names = {"pipeline": pipeline, "run_id": None, "limit": RECENT}
    rows = connection.execute(EXECUTIONS, names).fetchall()
    if not rows:
        console.say(
            f"nothing has run yet in database {settings.database};"
            " headgate run PIPELINE starts a run"
        )
        for line in elsewhere(settings):
            console.say(line)
    if as_json:
        console.print_json(rows)
    elif rows:
        columns = ("pipeline", "run_id", "status", "started_at", "duration", *COUNTS, "units")
        console.print_table(rows, *columns)


def _show_run(
    connection: Connection[DictRow], settings: Settings, run: DictRow, as_json: bool
) -> None:
    names = {"pipeline": run["pipeline"], "run_id": run["run_id"]}
    now: dict[str, Any] = dict(connection.execute(STATUS, names).fetchone() or {})
    run = {**run, **now}
    facts = facts_of(connection, run)
    if as_json:
        console.print_json({**run, **facts})
        return
    flight = ", ".join(f"{x} {now[x]:,}" for x in ("queued", "running", "parked") if now.get(x))
    units = f"{run['units']:,} units"
    said = ", ".join(x for x in (f"{run['status']}", flight, units) if x)
    console.say(f"{run['pipeline']} {run['run_id']}: {said}")
    console.print_table(facts["steps"], *STEP_COLUMNS, "started_at", "finished_at")
    print_waiting(facts["waiting"])
    if run["status"] not in ENDED:
        for line in held([x for x in facts["leases"] if x["is_silent"]], now_of(connection)):
            print(line)
    print_next(settings, run, facts["next"])
