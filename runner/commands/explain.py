"""`headgate explain`: what a run would do now, or at another time, and why. It changes nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import psycopg
import typer
from psycopg import Connection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from runner.commands import console
from runner.commands.options import AsJson, Params, Pipeline, parse_params
from runner.errors import AmbiguousCode, InvalidValue, UnknownAsset

SUMMARY = """
select * from headgate.explain_summary(
    p_pipeline => %(pipeline)s, p_at => %(at)s::timestamptz, p_quota => %(quota)s::integer,
    p_params => %(params)s, p_assets => %(assets)s::bigint[])
"""
PLAN = """
select * from headgate.explain_plan(
    p_pipeline => %(pipeline)s, p_at => %(at)s::timestamptz, p_quota => %(quota)s::integer,
    p_params => %(params)s, p_assets => %(assets)s::bigint[])
limit %(rows)s
"""
UNIVERSES = """
select distinct a.universe
from headgate.v_assets as a
where a.code = %(code)s or split_part(a.code, '.', 1) = %(code)s
"""
MOMENT = "select %(text)s::timestamptz as at"
FIND = "select headgate.find_asset(p_universe => %(universe)s, p_code => %(code)s) as asset_id"


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
        typer.Option(
            metavar="CODE", help="Only this asset, due or not, with evidence; repeatable."
        ),
    ] = None,
    rows: Annotated[int, typer.Option(min=0, help="Also show the first pairs, in rank order.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Show what a run would do, what it would put off, and why; nothing is changed."""
    settings = console.ready_settings()
    with console.open_database(settings, "explain") as connection:
        arguments = {
            "pipeline": pipeline,
            "at": _moment(connection, at),
            "quota": quota,
            "params": Jsonb(parse_params(param)),
            "assets": [find_asset(connection, code) for code in asset] if asset else None,
            "rows": None if asset else rows,
        }
        pairs = connection.execute(PLAN, arguments).fetchall() if asset or rows else []
        totals = [] if asset else connection.execute(SUMMARY, arguments).fetchall()
    if as_json:
        console.print_json({"summary": totals, "plan": pairs})
    else:
        _show(totals, pairs, is_empty=not totals and not asset)


def _moment(connection: Connection[DictRow], text: str | None) -> datetime | None:
    """Return a moment as PostgreSQL reads it: 2026-01-31 21:30Z, tomorrow, ..."""
    try:
        row = connection.execute(MOMENT, {"text": text}).fetchone()
    except psycopg.DataError as exc:
        raise InvalidValue(f"--at: {text!r} is no time", hint="e.g. '2026-01-31 21:30Z'") from exc
    return row["at"] if row else None


def find_asset(connection: Connection[DictRow], code: str) -> int:
    """Return the asset that a code, or an unambiguous symbol, means."""
    universes = [x["universe"] for x in connection.execute(UNIVERSES, {"code": code})]
    if not universes:
        raise UnknownAsset(f"unknown asset: {code!r}", hint="headgate.v_assets lists them")
    if len(universes) > 1:
        raise AmbiguousCode(
            f"{code!r} is in several universes: {', '.join(sorted(universes))}",
            hint="headgate.find_asset gives the asset_id, headgate.explain_plan takes it",
        )
    row = connection.execute(FIND, {"universe": universes[0], "code": code}).fetchone()
    return int(row["asset_id"]) if row else 0


def _show(totals: list[dict[str, Any]], pairs: list[dict[str, Any]], *, is_empty: bool) -> None:
    if totals:
        console.print_table(totals, "group_key", "operation", "decision", "count", "units")
    if pairs:
        columns = (
            "asset",
            "operation",
            "decision",
            "reason",
            "units",
            "rank",
            "run_at",
            "evidence",
        )
        console.print_table(pairs, *columns)
    if is_empty:
        console.say("nothing is due")
