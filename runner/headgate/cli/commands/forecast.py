"""`headgate forecast`: shows what one run a day would do from now on; read-only."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from headgate import explained
from headgate.cli.commands import console
from headgate.cli.commands.facts import print_whole_steps, whole_steps
from headgate.cli.commands.options import AsJson, Params, Pipeline, parse_params


def forecast(
    pipeline: Pipeline,
    days: Annotated[int, typer.Option(help="How many days, one run on each.")] = 7,
    quota: Annotated[
        int | None, typer.Option(help="With this many usable units, buffer already taken off.")
    ] = None,
    param: Params = None,
    as_json: AsJson = False,
) -> None:
    """Show what a run on each of the next days would do, and when everything is loaded."""
    settings = console.ready_settings()
    arguments = {
        "pipeline": pipeline,
        "days": days,
        "quota": quota,
        "params": Jsonb(parse_params(param)),
        "counted": False,
    }
    with console.open_database(settings, "forecast") as connection:
        rows = connection.execute(explained.FORECAST, arguments).fetchall()
        steps = whole_steps(connection, arguments)
    if as_json:
        console.print_json({"forecast": rows, "steps": steps})
        return
    console.print_table(rows, "day", "units", "new", "updated", "deferred", "backlog")
    _say_pool(rows)
    print_whole_steps(steps)
    done = next((row for row in rows if row["backlog"] == 0), None)
    if done is None:
        console.say(f"{rows[-1]['backlog']:,} assets still wait after {days} days")
    elif done["deferred"] == 0:
        console.say(f"everything is loaded on day {done['day']}")
    else:
        left_out = f"{done['deferred']:,} left out after failures"
        console.say(f"everything is loaded on day {done['day']}, but {left_out}")


def _say_pool(rows: list[DictRow]) -> None:
    """Name the pool that bounds the day with the most work, and how long that takes."""
    bound = max(
        (row for row in rows if row["pool"]),
        key=lambda row: row["pool_time"] or timedelta(),
        default=None,
    )
    if bound is not None:
        time = bound["pool_time"]
        took = "how long is not known yet" if time is None else f"{time} at least"
        console.say(f"day {bound['day']} goes through pool {bound['pool']}: {took}")
