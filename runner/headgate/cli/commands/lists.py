"""`headgate pipelines`, `operations`, `assets`, `quota`, `pools`, `checks`, `runners`."""

from __future__ import annotations

from typing import Annotated

import typer

from headgate.cli.commands import console
from headgate.cli.commands.options import MAX_LIMIT, AsJson, OfPipeline
from headgate.database import mapped_errors
from headgate.reports import check_pipeline

PIPELINES = "select * from headgate.v_pipelines"
OPERATIONS = """
select * from headgate.v_operations as o
where %(pipeline)s::text is null or %(pipeline)s = any (o.pipelines)
"""
FIND_GROUP = "select headgate.find_group(p_group => %(group)s)"
ASSETS = """
select * from headgate.v_assets as a
where %(group)s::text is null or a.group_key = %(group)s
order by a.universe, a.code
limit %(limit)s
"""
DUE = """
select * from headgate.v_assets_needing_processing as a
where %(group)s::text is null or a.group_key = %(group)s
order by a.due_since, a.asset, a.operation
limit %(limit)s
"""
QUOTA = """
select * from headgate.v_quota as q
where (q.opened_at <= headgate.clock() and q.closes_at > headgate.clock()) or %(is_all)s
"""
POOLS = "select * from headgate.v_pools"
CHECKS = "select * from headgate.v_checks as c order by c.pipeline, c.name"
RUNNERS = """
select r.*, r.memory / 1048576 as memory_mb, r.peak_memory / 1048576 as peak_mb
from headgate.v_runners as r
"""
SHOWN = 50


def pipelines(as_json: AsJson = False) -> None:
    """List the pipelines, with the latest run of each."""
    settings = console.ready_settings()
    with console.open_database(settings, "pipelines") as connection, mapped_errors():
        rows = connection.execute(PIPELINES).fetchall()
    console.print_rows(
        rows,
        "pipeline is_paused latest_run_id latest_status latest_started_at description",
        as_json=as_json,
        where_set="latest_run_id latest_status latest_started_at",
        if_none=f"database {settings.database} has no pipeline; headgate migrate applies plans",
    )


def operations(pipeline: OfPipeline = None, as_json: AsJson = False) -> None:
    """List the operations: when they are due, what a call costs, and the health of their calls."""
    settings = console.ready_settings()
    with console.open_database(settings, "operations") as connection, mapped_errors():
        check_pipeline(connection, pipeline)
        rows = connection.execute(OPERATIONS, {"pipeline": pipeline}).fetchall()
    console.print_rows(
        rows,
        "operation provider kind due units priority serves state blocked_until pipelines",
        as_json=as_json,
        where_set="serves state blocked_until",
        if_none=f"pipeline {pipeline} has no operation"
        if pipeline
        else f"database {settings.database} has no operation; headgate migrate applies plans",
    )


def assets(
    group: Annotated[
        str | None,
        typer.Option(metavar="GROUP", help="Only of this group.", show_default=False),
    ] = None,
    due: Annotated[
        bool, typer.Option("--due", help="What is due of them, and since when, oldest first.")
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MAX_LIMIT,
            help="How many at most.",
            show_default=f"{SHOWN}; with --json, all of them",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List all assets, or the due ones with their due operations."""
    settings = console.ready_settings()
    shown = limit if limit is not None or as_json else SHOWN
    names = {"group": group, "limit": None if shown is None else shown + 1}
    with console.open_database(settings, "assets") as connection, mapped_errors():
        if group is not None:
            connection.execute(FIND_GROUP, {"group": group})
        rows = connection.execute(DUE if due else ASSETS, names).fetchall()
    of_group = f" in group {group}" if group else ""
    console.print_rows(
        rows[:shown],
        "asset group_key operation reason due_since watermark units"
        if due
        else "code universe group_key calendar weight is_active asset_id",
        as_json=as_json,
        where_set="calendar watermark",
        if_none=f"nothing is due{of_group}" if due else f"there is no asset{of_group}",
    )
    if shown is not None and len(rows) > shown:
        console.say(f"the first {shown:,}; --limit N shows more, --json all of them")


def quota(
    is_all: Annotated[bool, typer.Option("--all", help="Also windows that are over.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the open quota windows, with their units reserved, spent and left."""
    settings = console.ready_settings()
    with console.open_database(settings, "quota") as connection, mapped_errors():
        rows = connection.execute(QUOTA, {"is_all": is_all}).fetchall()
    console.print_rows(
        rows,
        "provider usable reserved spent used_elsewhere remaining opened_at closes_at blocked_until",
        as_json=as_json,
        where_set="used_elsewhere blocked_until",
        if_none="no window was opened yet: a run opens one"
        if is_all
        else "no window is open: a run opens one; headgate quota --all lists those before",
    )


def pools(as_json: AsJson = False) -> None:
    """List the pools: their slots, the slots taken by leases, and the waiting jobs."""
    settings = console.ready_settings()
    with console.open_database(settings, "pools") as connection, mapped_errors():
        rows = connection.execute(POOLS).fetchall()
    console.print_rows(
        rows,
        "pool slots used waiting",
        as_json=as_json,
        if_none=f"database {settings.database} has no pool; a plan declares one by put_pool",
    )


def checks(as_json: AsJson = False) -> None:
    """List the checks of the data, with the latest result of each."""
    settings = console.ready_settings()
    with console.open_database(settings, "checks") as connection, mapped_errors():
        rows = connection.execute(CHECKS).fetchall()
    console.print_rows(
        rows,
        "name pipeline severity status value failing_since message",
        as_json=as_json,
        where_set="pipeline status value failing_since message",
        if_none=f"database {settings.database} has no check; a plan declares one by put_check",
    )


def runners(as_json: AsJson = False) -> None:
    """List the runners: where they run, what they lease and use, and when they last reported."""
    settings = console.ready_settings()
    with console.open_database(settings, "runners") as connection, mapped_errors():
        rows = connection.execute(RUNNERS).fetchall()
    console.print_rows(
        rows,
        "runner host pid version started_at last_seen_at leases jobs calls connections_opened"
        " connections_reused memory_mb peak_mb cpu_percent disk_percent",
        as_json=as_json,
        where_set="calls connections_opened connections_reused memory_mb peak_mb cpu_percent"
        " disk_percent",
        if_none="no runner is connected; headgate worker starts one",
    )
