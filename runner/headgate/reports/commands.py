"""The commands that continue a run, as they are typed in this shell."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from shutil import which

from psycopg.rows import DictRow

from headgate.settings import Settings


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
