"""`headgate explain`: shows what a run would do, now or at another time, and why; read-only."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import psycopg
import typer
from psycopg import Connection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from headgate import explained
from headgate.cli.commands import console
from headgate.cli.commands.explain_asset import print_story, story_of
from headgate.cli.commands.facts import print_whole_steps, whole_steps
from headgate.cli.commands.options import AsJson, Params, Pipeline, parse_params
from headgate.errors import InvalidValue

MOMENT = "select coalesce(%(text)s::timestamptz, headgate.clock()) as at"


def explain(
    pipeline: Pipeline,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="At this moment instead of now.")
    ] = None,
    quota: Annotated[
        int | None, typer.Option(help="With this many usable units, buffer already taken off.")
    ] = None,
    param: Params = None,
    asset: Annotated[
        list[str] | None,
        typer.Option(metavar="CODE", help="The full story of this asset, due or not; repeatable."),
    ] = None,
    rows: Annotated[int, typer.Option(min=0, help="Also show the first pairs, in rank order.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Show what a run would do, what it would defer, and why; nothing is changed."""
    settings = console.ready_settings()
    with console.open_database(settings, "explain") as connection:
        arguments = {
            "pipeline": pipeline,
            "at": _moment(connection, at),
            "quota": quota,
            "params": Jsonb(parse_params(param)),
            "counted": False,
            "rows": rows,
        }
        if asset:
            stories = [story_of(connection, code, arguments) for code in asset]
        else:
            totals = connection.execute(explained.TOTALS, arguments).fetchall()
            budgets = connection.execute(explained.QUOTA, arguments).fetchall()
            steps = whole_steps(connection, arguments)
            pairs = connection.execute(explained.PAIRS, arguments).fetchall() if rows else []
    if asset:
        if as_json:
            plan = [row for story in stories for row in story["plan"]]
            console.print_json({"assets": stories, "plan": plan})
        for story in () if as_json else stories:
            print_story(story)
        return
    found = {
        "at": arguments["at"],
        "totals": explained.by_decision(totals),
        "quota": explained.after_the_run(budgets, totals),
        "reasons": explained.by_reason(totals),
        "summary": explained.by_group(totals),
        "steps": steps,
        "plan": pairs,
    }
    if as_json:
        console.print_json(found)
    else:
        _show(pipeline, found)


def _moment(connection: Connection[DictRow], text: str | None) -> datetime:
    """Return the time for a text in PostgreSQL's notation ('2026-01-31 21:30Z', 'tomorrow').

    Without a text, return the current time. Raises InvalidValue.
    """
    try:
        row = connection.execute(MOMENT, {"text": text}).fetchone()
    except psycopg.DataError as exc:
        raise InvalidValue(
            f"--at: {text!r} is not a time", hint="e.g. '2026-01-31 21:30Z'"
        ) from exc
    assert row is not None
    moment: datetime = row["at"]
    return moment


def _show(pipeline: str, found: dict[str, Any]) -> None:
    print(f"{pipeline}, as if it ran at {console.as_text(found['at'])}\n")
    console.print_table(found["totals"], "decision", "jobs", "units")
    if found["quota"]:
        print()
        columns = ["provider", "usable", "left", "after_the_run", "until"]
        closed = any(row["blocked_until"] for row in found["quota"])
        console.print_table(found["quota"], *columns, *(["blocked_until"] if closed else []))
    if found["reasons"]:
        print()
        waits = any(row["earliest"] for row in found["reasons"])
        columns = ["decision", "reason", "jobs", "units"]
        console.print_table(found["reasons"], *columns, *(["earliest"] if waits else []))
    if found["summary"]:
        print()
        columns = ["group_key", "operation", "decision", "count", "units"]
        console.print_table(found["summary"], *columns)
    print_whole_steps(found["steps"])
    if found["plan"]:
        print()
        columns = ["rank", "asset", "operation", "decision", "units", "reason", "alternative"]
        console.print_table(found["plan"], *columns)
    if not found["summary"]:
        console.say("nothing is due")
