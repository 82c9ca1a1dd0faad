"""docs/crawling.md: its plan crawls the demo's site, and its queries return rows."""

from __future__ import annotations

from tests.acceptance.onpoint.conftest import Lake
from tests.acceptance.onpoint.test_crawl_web import ALLOWED, asked
from tests.adopt import adopt
from tests.docs import ROOT, blocks

PLAN, FIRST, KEEP, RULES = blocks(ROOT / "docs" / "crawling.md", "sql")
TABLE = """
    create schema crawl authorization headgate_owner;
    create table crawl.pages (asset_id bigint primary key, title text, body text);
"""
RIGHTS = """
    grant execute on function headgate.take_pages, headgate.upsert_assets to headgate_plan_crawl;
    grant select (result), insert (function, arguments) on headgate._requests to headgate_plan_crawl;
"""


async def test_the_page_s_plan_reads_every_page_once_and_explains_what_robots_txt_allows(
    lake: Lake,
):
    lake.plan.sql(TABLE + KEEP.text + "alter function crawl.keep_pages owner to headgate_owner")
    with lake.plan.connection.transaction():
        lake.plan.connection.execute(PLAN.text.encode())
    lake.plan.connection.execute(FIRST.text.encode())
    changes = {"base_url": lake.services["website"].url}
    lake.plan.call("set_provider", p_provider="site", p_changes=changes)
    adopt(lake.plan.connection, "crawl")
    lake.plan.sql(RIGHTS)
    lake.plan.sql("select headgate.check_plans(), headgate.note_schema()")
    run_id = await lake.run("crawl_site")

    assert lake.steps(run_id) == {"read_robots": "succeeded", "crawl": "succeeded"}
    assert set(asked(lake.services["website"])) == {"/robots.txt", *ALLOWED} - {"/brochure.pdf"}
    (rules, allowed) = [x for x in RULES.text.split(";") if x.strip()]
    assert lake.plan.sql(rules) == [
        {"pattern": "/private/door$", "is_allowed": True},
        {"pattern": "/private/", "is_allowed": False},
        {"pattern": "/*?sort=", "is_allowed": False},
    ]
    assert lake.plan.scalar(allowed) is True
