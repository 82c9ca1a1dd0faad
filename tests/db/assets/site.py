"""A site for tests: its pages are assets and its robots.txt is an operation; no call is made."""

from __future__ import annotations

import json
from typing import Any

from tests.db.declare.conftest import Shelf
from tests.db.toy import Toy
from tests.plan import Row

HOME = "http://site.test"
PLAN = (
    "put_provider('site', 'http://site.test', auth => '{\"in\": \"none\"}')",
    "put_operation('robots', due => 'every 20 hours', provider => 'site', request => 'GET /robots.txt',"
    " parser => 'robots', ingest_function => 'headgate.ingest_robots')",
    "put_operation('page', 'pages', due => 'run', provider => 'site', request => 'GET {asset.code!}',"
    ' headers => \'{"If-None-Match": "{state.etag?}", "If-Modified-Since": "{state.last_modified?}"}\')',
    "put_pipeline('crawl')",
    "put_step('crawl', 'read_robots', operations => '{robots}')",
    "put_step('crawl', 'walk', operations => '{page}', depends_on => '{read_robots}', max_waves => 9)",
)


def site(toy: Toy, *codes: str) -> Toy:
    """Declare the site with these first pages."""
    Shelf(toy).put(*PLAN, plan="site")
    toy.upsert([{"code": x, "group_key": "page"} for x in codes], "pages")
    toy.call("check_plans")
    return toy


def pages(toy: Toy) -> dict[str, Row]:
    """Return the known pages by code."""
    rows = toy.sql("select * from headgate.assets where universe = 'pages'")
    return {x["code"]: x for x in rows}


def answer(toy: Toy, code: str, *links: str, status: int = 200, **page: Any) -> Row:
    """Return the payload that the html parser makes of a page."""
    told = {"url": HOME + code, "robots": "", "canonical": None, "redirect": None, "links": links}
    return {
        "asset_id": pages(toy)[code]["asset_id"],
        "status": status,
        "body": json.dumps(told | page),
    }


def take(toy: Toy, *answers: Row, **limits: Any) -> dict[str, Row]:
    """Ingest pages; return the result of each by code."""
    query = (
        "select a.code, t.* from headgate.take_pages('page', array(select r from jsonb_populate_recordset("
        "null::headgate.answer, %(answers)s::jsonb) as r), p_max_depth => %(max_depth)s,"
        " p_max_pages => %(max_pages)s, p_refuse => %(refuse)s::text[]) as t join headgate.assets as a using (asset_id)"
    )
    given = {"max_depth": 5, "max_pages": 100, "refuse": []} | limits
    return {x["code"]: x for x in toy.sql(query, answers=json.dumps(answers), **given)}


def robots(
    toy: Toy, *rules: str, status: int = 200, delay: float | None = None, **headers: str
) -> Row:
    """Ingest a robots.txt with rules such as -/a and +/a/b; return the result."""
    told = {
        "rules": [{"pattern": x[1:], "is_allowed": x[0] == "+"} for x in rules],
        "crawl_delay": delay,
    }
    (row,) = toy.sql(
        "select r.* from headgate.assets as a cross join lateral headgate.ingest_robots("
        """'{"operation": "robots"}', array[a.asset_id], array[row(a.asset_id, %(status)s, %(headers)s::jsonb,"""
        " %(body)s, 1, 1, false)::headgate.answer]) as r where a.universe = '_robots'",
        status=status,
        headers=json.dumps(headers),
        body=json.dumps(told),
    )
    return row
