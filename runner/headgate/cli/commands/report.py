"""`headgate report`: writes a run as an HTML page."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from psycopg import Connection
from psycopg.rows import DictRow

from headgate.cli.commands import console
from headgate.cli.commands.extras import needs_extra
from headgate.cli.commands.options import OfPipeline, RunId
from headgate.cli.commands.status import find_run
from headgate.database import mapped_errors
from headgate.demo import DATABASE
from headgate.errors import HeadgateError
from headgate.files import name_of
from headgate.reports import command_of, facts_of, program_of, quota_of, reasons_of
from headgate.settings import Settings

BUCKETS = """
select
    date_bin(%(width)s::interval, h.ended_at, %(started_at)s::timestamptz) as at,
    h.status,
    count(*) as jobs,
    coalesce(sum(h.api_calls_used), 0) as units
from headgate.v_asset_processing_history as h
where h.run_id = %(run_id)s
group by 1, 2
"""
OPERATIONS = """
select
    h.operation,
    h.status,
    count(*) as jobs,
    coalesce(sum(h.records), 0) as records,
    coalesce(sum(h.api_calls_used), 0) as units,
    coalesce(avg(h.duration_ms), 0)::float8 as milliseconds
from headgate.v_asset_processing_history as h
where h.run_id = %(run_id)s
group by h.operation, h.status
order by h.operation, jobs desc
"""


def report(
    run_id: RunId,
    pipeline: OfPipeline = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The page to write.", show_default="RUN_ID.html"),
    ] = None,
) -> None:
    """Write a run's plan, timeline, quota, failures and throughput as an HTML page."""
    with needs_extra("charts"):
        from headgate.reports import bucket_of, write_page
    settings = console.ready_settings()
    with console.open_database(settings, "report") as connection, mapped_errors():
        run = find_run(connection, settings, pipeline, run_id)
        page = _page(connection, settings, run, bucket_of(run))
    path = output or Path(f"{name_of(run_id)}.html")
    try:
        write_page(path, page)
    except OSError as exc:
        hint = "name another file: --output"
        raise HeadgateError(f"{path} cannot be written: {exc.strerror}", hint=hint) from exc
    print(path)


def _page(
    connection: Connection[DictRow], settings: Settings, run: DictRow, width: Any
) -> dict[str, Any]:
    """Return the data of the page."""
    names = {**run, "width": width}
    operations = connection.execute(OPERATIONS, names).fetchall()
    facts = facts_of(connection, run)
    return {
        "run": run,
        **facts,
        "commands": [command_of(program_of(settings), run, x) for x in facts["next"]],
        "operations": operations,
        "outcomes": {row["status"] for row in operations},
        "buckets": [
            {**row, "jobs": int(row["jobs"]), "units": int(row["units"])}
            for row in connection.execute(BUCKETS, names).fetchall()
        ],
        **reasons_of(connection, run),
        "quota": quota_of(connection, run),
        "width": width,
        "seconds": max(run["duration"].total_seconds(), 0.001),
        "now": datetime.now(UTC),
        "is_made_up": settings.database == DATABASE,
    }
