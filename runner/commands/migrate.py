"""`headgate migrate`: bring the database to the state of db/."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from runner import migrate as migration
from runner.commands import console


def migrate(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what is pending.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON document.")] = False,
) -> None:
    """Apply what is new or changed in db/; creates the database when it is missing."""
    settings = console.ready_settings()
    began = time.monotonic()
    report = migration.migrate(settings, dry_run=dry_run)
    if as_json:
        key = "pending" if dry_run else "applied"
        console.print_json({key: report.files, "gone": report.gone})
        return
    if dry_run:
        for path in report.files:
            print(path)
    what = f"{len(report.files)} files" if report.files else "nothing"
    seconds = f" in {time.monotonic() - began:.1f} s" if report.files and not dry_run else ""
    verb = "pending" if dry_run else "applied"
    console.say(f"database {settings.database}: {what} {verb}{seconds}")
