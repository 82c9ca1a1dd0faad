"""Summary of a run: its result, what waits and why, and the command that continues it."""

from __future__ import annotations

from typing import Any

from psycopg.rows import DictRow

from headgate.cli.commands import console
from headgate.reports import command_of, program_of
from headgate.settings import Settings

STEP_COLUMNS = ("step", "status", "planned", "succeeded", "failed", "deferred", "skipped", "units")
LOOK_AROUND = """\
look around:  {psql}

    select * from headgate.v_quota;
    select * from headgate.v_asset_processing_history where run_id = '{run_id}' limit 10;
    select * from headgate.explain_summary(p_pipeline => '{pipeline}');
"""


def print_summary(
    settings: Settings, run: DictRow, facts: dict[str, Any], again: str | None = None
) -> None:
    """Print a run's steps, results and units, what waits, and last how to continue.

    `again` is the command that began the run, if no other continues it.
    """
    duration = console.as_text(run["duration"])
    units = console.counted(run["units"], "unit")
    print(f"{run['pipeline']} {run['run_id']} {run['status']} in {duration}, {units}")
    console.print_table(facts["steps"], *STEP_COLUMNS)
    tolerated = [x["step"] for x in facts["steps"] if x["status"] == "failed" and x["may_fail"]]
    if tolerated:
        print(f"failed, but allowed to fail: {', '.join(tolerated)}")
    print_waiting(facts["waiting"])
    psql = f"{program_of(settings)} psql"
    print(LOOK_AROUND.format(psql=psql, run_id=run["run_id"], pipeline=run["pipeline"]))
    print_next(settings, run, facts["next"], again)


def print_waiting(rows: list[DictRow]) -> None:
    """Print the waiting jobs with reasons and times."""
    if rows:
        print("waiting:")
        columns = ("operation", "jobs", "units", "retries", "next_try_at", "gives_up_at", "reason")
        shown = [x for x in columns if any(row[x] for row in rows)]
        console.print_table(rows, *shown)


def print_next(
    settings: Settings, run: DictRow, actions: list[DictRow], again: str | None = None
) -> None:
    """Print a line for each next action, with its command."""
    for action in actions:
        said = [action["found"], action["advice"]]
        if action["not_before"] is not None:
            said.append(f"not before {console.as_text(action['not_before'])}")
        line = " ".join("; ".join(x for x in said if x).split())  # an error may have several lines
        command = command_of(program_of(settings), run, action, again)
        print(f"next: {line}{': ' if command else ''}{command}")
