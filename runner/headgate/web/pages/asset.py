"""An asset's story: what it needs, what became of it, what the next run does with it, and why."""

from __future__ import annotations

from typing import Any, Final, LiteralString

from aiohttp import web
from psycopg import Connection
from psycopg.rows import DictRow

from headgate.web.page import Page
from headgate.web.paging import ROWS, moment_of, page_of

FOUND: Final = 30
FIND: LiteralString = "select * from headgate.find_assets(p_text => %(text)s, p_limit => %(most)s)"
FAILING: LiteralString = """
select * from headgate.v_failed_assets as f
order by f.last_failed_at desc nulls last, f.asset, f.operation
limit %(most)s
"""
ASSET: LiteralString = """
select a.* from headgate.v_assets as a
where a.asset_id = headgate.find_asset(p_universe => %(universe)s, p_code => %(code)s)
"""
STATES: LiteralString = """
select * from headgate.v_asset_states as s where s.asset_id = %(asset_id)s order by s.operation
"""
PIPELINES: LiteralString = """
select o.pipelines from headgate.v_operations as o where o.universe = %(universe)s
"""
NEXT: LiteralString = """
select * from headgate.explain_plan(
    p_pipeline => %(pipeline)s, p_assets => array[%(asset_id)s::bigint])
"""
DECISIONS: LiteralString = """
select * from headgate.asset_decisions(
    p_asset_id => %(asset_id)s, p_before => %(before)s::timestamptz, p_limit => %(most)s)
"""


def search(connection: Connection[DictRow], request: web.Request) -> dict[str, Any]:
    """Return the assets that a text may mean; without a text, those that fail."""
    text = request.query.get("q", "").strip()
    named = {"text": text, "most": FOUND}
    return {
        "text": text,
        "found": connection.execute(FIND, named).fetchall() if text else [],
        "failing": [] if text else connection.execute(FAILING, named).fetchall(),
    }


def load(connection: Connection[DictRow], request: web.Request) -> dict[str, Any]:
    """Return an asset's story. Raises UnknownAsset, AmbiguousCode, InvalidValue."""
    before = moment_of(request)
    named = {"code": request.match_info["asset"], "universe": request.query.get("universe")}
    asset = connection.execute(ASSET, named).fetchone()
    assert asset is not None
    known = {**asset, "before": before, "most": ROWS}
    return {
        "asset": asset,
        "states": connection.execute(STATES, known).fetchall(),
        "before": before,
        "next": [] if before else _next_runs(connection, known),
        "decisions": page_of(connection.execute(DECISIONS, known).fetchall(), "decided_at"),
    }


def _next_runs(connection: Connection[DictRow], asset: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what a run of each pipeline would do with the asset now."""
    rows = connection.execute(PIPELINES, asset).fetchall()
    pipelines = sorted({x for row in rows for x in row["pipelines"]})
    return [
        {"pipeline": pipeline, **row}
        for pipeline in pipelines
        for row in connection.execute(NEXT, {**asset, "pipeline": pipeline}).fetchall()
    ]


SEARCH = Page("/assets", "assets.html", search, menu="Assets")
PAGE = Page("/assets/{asset:.+}", "asset.html", load)
