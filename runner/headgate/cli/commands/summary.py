"""Summary of a run: its result, what waits and why, and the command that continues it."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from shutil import which
from typing import Any

from psycopg.rows import DictRow

from headgate.cli.commands import console
from headgate.settings import Settings

STEP_COLUMNS = ("step", "status", "planned", "succeeded", "failed", "deferred", "skipped", "units")
LOOK_AROUND = """\
look around:  {psql}

    select * from headgate.v_quota;
    select * from headgate.v_asset_processing_history where run_id = '{run_id}' limit 10;
    select * from headgate.explain_summary(p_pipeline => '{pipeline}');
"""


def print_summary(settings: Settings, run: DictRow, facts: dict[str, Any]) -> None:
    """Print a run's steps, results and units, what waits, and last how to continue."""
    duration = console.as_text(run["duration"])
    print(
        f"{run['pipeline']} {run['run_id']} {run['status']} in {duration}, {run['units']:,} units"
    )
    console.print_table(facts["steps"], *STEP_COLUMNS)
    tolerated = [x["step"] for x in facts["steps"] if x["status"] == "failed" and x["may_fail"]]
    if tolerated:
        print(f"failed, but allowed to fail: {', '.join(tolerated)}")
    print_waiting(facts["waiting"])
    psql = f"{program_of(settings)} psql"
    print(LOOK_AROUND.format(psql=psql, run_id=run["run_id"], pipeline=run["pipeline"]))
    print_next(settings, run, facts["next"])


def print_waiting(rows: list[DictRow]) -> None:
    """Print the waiting jobs with reasons and times."""
    if rows:
        print("waiting:")
        columns = ("operation", "jobs", "units", "retries", "next_try_at", "gives_up_at", "reason")
        shown = [x for x in columns if any(row[x] for row in rows)]
        console.print_table(rows, *shown)


def print_next(settings: Settings, run: DictRow, actions: list[DictRow]) -> None:
    """Print a line for each next action, with its command."""
    for action in actions:
        said = [action["found"], action["advice"]]
        if action["not_before"] is not None:
            said.append(f"not before {console.as_text(action['not_before'])}")
        line = " ".join("; ".join(x for x in said if x).split())  # an error may have several lines
        command = command_of(settings, run, action)
        print(f"next: {line}{': ' if command else ''}{command}")


def command_of(settings: Settings, run: DictRow, action: DictRow) -> str:
    """Return the command that continues a run; empty if one can only wait."""
    program = program_of(settings)
    if action["action"] == "work":
        return f"{program} worker"
    if action["action"] == "resume":
        return f"{program} resume {run['pipeline']}"
    if action["statement"] is None:
        return ""
    if run["driver"] == "headgate" and action["action"] == "retry":
        return f"{program} retry {shlex.quote(run['run_id'])} --pipeline {run['pipeline']}"
    if run["driver"] == "headgate" and action["action"] == "run":
        return f"{program} run {run['pipeline']}"
    return f"{program} psql -c {shlex.quote(action['statement'])}"


def program_of(settings: Settings) -> str:
    """Return `headgate` as typed in this shell, with HEADGATE_DATABASE if needed."""
    here = Path(sys.executable).with_name("headgate")
    program = "headgate" if which("headgate") else os.path.relpath(here)
    usual = Settings.from_env({**os.environ, "HEADGATE_DATABASE": ""}).database
    prefix = "" if settings.database == usual else f"HEADGATE_DATABASE={settings.database} "
    return f"{prefix}{program}"
