"""The commands that continue a run, as they are typed."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from shutil import which

from psycopg.rows import DictRow

from headgate.settings import Settings


def command_of(program: str, run: DictRow, action: DictRow, again: str | None = None) -> str:
    """Return the command that continues a run; empty if one can only wait.

    `again` is the command that began it, where only that one reaches the run's providers.
    """
    if again is not None and action["action"] in ("run", "retry"):
        return again
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
    return with_database(settings, program_name())


def program_name() -> str:
    """Return `headgate` as typed in this shell."""
    here = Path(sys.executable).with_name("headgate")
    return "headgate" if which("headgate") else os.path.relpath(here)


def with_database(settings: Settings, program: str) -> str:
    """Return a program with HEADGATE_DATABASE before it, if its database is not the usual one."""
    usual = Settings.from_env({**os.environ, "HEADGATE_DATABASE": ""}).database
    prefix = "" if settings.database == usual else f"HEADGATE_DATABASE={settings.database} "
    return f"{prefix}{program}"
