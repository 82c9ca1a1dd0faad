"""`headgate show`: shows one asset, the state of its needs, and its latest jobs."""

from __future__ import annotations

from typing import Annotated

import typer
from psycopg import Connection
from psycopg.rows import DictRow

from headgate.cli.commands import console
from headgate.cli.commands.options import MAX_LIMIT, AsJson
from headgate.database import mapped_errors

FIND = """
select a.* from headgate.v_assets as a
where a.asset_id = headgate.find_asset(p_universe => %(universe)s, p_code => %(code)s)
"""
STATES = """
select * from headgate.v_asset_states as s where s.asset_id = %(asset_id)s order by s.operation
"""
HISTORY = """
select * from headgate.v_asset_processing_history as h
where h.asset_id = %(asset_id)s
order by h.ended_at desc, h.operation
limit %(limit)s
"""
LEFT_OUT = "left out"


def show(
    code: Annotated[
        str,
        typer.Argument(
            metavar="ASSET", help="Its code, e.g. AAPL.US, or a bare symbol.", show_default=False
        ),
    ],
    universe: Annotated[
        str | None,
        typer.Option(help="Where several universes have that code.", show_default=False),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=0, max=MAX_LIMIT, help="How many of its last jobs.")
    ] = 10,
    as_json: AsJson = False,
) -> None:
    """Show one asset: the state of each of its needs, and its latest jobs."""
    settings = console.ready_settings()
    with console.open_database(settings, "show") as connection, mapped_errors():
        asset = find_asset(connection, code, universe)
        names = {"asset_id": asset["asset_id"], "limit": limit}
        states = connection.execute(STATES, names).fetchall()
        jobs = connection.execute(HISTORY, names).fetchall()
    if as_json:
        console.print_json({"asset": asset, "operations": states, "jobs": jobs})
        return
    print(f"{asset['code']}")
    console.print_lines({x: y for x, y in asset.items() if x != "code" and y not in (None, {})})
    print()
    console.print_rows(
        states,
        "operation status watermark next_due_at succeeded_at consecutive_failures last_error",
        where_set="watermark next_due_at succeeded_at consecutive_failures last_error",
        if_none="no operation needs it",
    )
    print()
    console.print_rows(
        jobs,
        "ended_at run_id operation status records api_calls_used duration_ms error",
        where_set="error",
        if_none="nothing was done with it yet",
    )
    if any(x["status"] == LEFT_OUT for x in states):
        console.say(
            "what is left out after 5 failures is asked for again by"
            f' headgate psql -c "select * from headgate.reset_asset({asset["asset_id"]})"'
        )


def find_asset(connection: Connection[DictRow], code: str, universe: str | None = None) -> DictRow:
    """Return the asset of a code or bare symbol. Raises UnknownAsset, AmbiguousCode."""
    asset = connection.execute(FIND, {"universe": universe, "code": code}).fetchone()
    assert asset is not None
    return asset
