"""What a run did, and what still waits and why."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from shutil import which

from psycopg import Connection
from psycopg.rows import DictRow

from runner.commands import console
from runner.settings import Settings

WAITING = """
select v.operation, v.meaning as reason, sum(v.assets) as assets, sum(v.units) as units
from headgate.v_deferrals as v
where v.pipeline = %(pipeline)s and v.run_id = %(run_id)s
group by v.operation, v.meaning
order by v.operation, v.meaning
"""
NEXT = """\
look around:  {psql}

    select * from headgate.v_quota;
    select * from headgate.v_asset_processing_history where run_id = '{run_id}' limit 10;
    select * from headgate.explain_summary(p_pipeline => '{pipeline}');
"""


def waiting_of(connection: Connection[DictRow], pipeline: str, run_id: str) -> list[DictRow]:
    """Return what was due in a run and was put off, by operation and reason."""
    return connection.execute(WAITING, {"pipeline": pipeline, "run_id": run_id}).fetchall()


def print_summary(
    settings: Settings, run: DictRow, steps: list[DictRow], waiting: list[DictRow]
) -> None:
    """Print what was planned, what became of it, what it cost, and what to try next."""
    duration = console.as_text(run["duration"])
    print(
        f"{run['pipeline']} {run['run_id']} {run['status']} in {duration}, {run['units']:,} units"
    )
    columns = ("step", "status", "planned", "succeeded", "failed", "deferred", "skipped")
    console.print_table(steps, *columns)
    tolerated = [x["step"] for x in steps if x["status"] == "failed" and x["may_fail"]]
    if tolerated:
        print(f"failed, as may be: {', '.join(tolerated)}")
    if waiting:
        print("due, but waiting:")
        console.print_table(waiting, "operation", "assets", "units", "reason")
    print(NEXT.format(psql=_psql(settings), run_id=run["run_id"], pipeline=run["pipeline"]))


def _psql(settings: Settings) -> str:
    """Return the command that opens this database, as it can be typed here."""
    here = Path(sys.executable).with_name("headgate")
    program = "headgate" if which("headgate") else os.path.relpath(here)
    usual = Settings.from_env({**os.environ, "HEADGATE_DATABASE": ""}).database
    prefix = "" if settings.database == usual else f"HEADGATE_DATABASE={settings.database} "
    return f"{prefix}{program} psql"
