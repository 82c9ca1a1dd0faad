"""`headgate backfill`: queues runs for past days, one after the other."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from headgate.cli.commands import console
from headgate.cli.commands.options import AsJson, Pipeline
from headgate.database import PLANNER, mapped_errors
from headgate.reports import program_of

BACKFILL = """
select * from headgate.backfill(
    p_pipeline => %(pipeline)s, p_from => %(first)s::date, p_to => %(last)s::date,
    p_confirm => %(yes)s)
"""
FORMATS = ["%Y-%m-%d"]


def backfill(
    pipeline: Pipeline,
    first: Annotated[datetime, typer.Argument(metavar="FROM", formats=FORMATS, help="A day.")],
    last: Annotated[datetime, typer.Argument(metavar="TO", formats=FORMATS, help="The last one.")],
    yes: Annotated[bool, typer.Option("--yes", help="Also more than 100 runs.")] = False,
    as_json: AsJson = False,
) -> None:
    """Queue a run for each day of a range that has no successful run, oldest first."""
    settings = console.ready_settings()
    arguments = {"pipeline": pipeline, "first": first.date(), "last": last.date(), "yes": yes}
    with console.open_database(settings, "backfill", role=PLANNER) as connection, mapped_errors():
        row = connection.execute(BACKFILL, arguments).fetchone()
    assert row is not None
    if as_json:
        console.print_json({"pipeline": pipeline, **row})
        return
    print(
        f"{pipeline}: {console.counted(row['queued'], 'run')} queued for"
        f" {console.counted(row['days'], 'day')}; {row['done']} done before,"
        f" {row['waiting']} queued or under way before"
    )
    if row["queued"] or row["waiting"]:
        print(f"next: runners carry them out: {program_of(settings)} worker")
