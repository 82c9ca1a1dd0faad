"""[O1]: a web site with traps is crawled: every page once, none that it disallows, at its own pace."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from headgate.demo.services import Reply, StandIn
from headgate.demo.services.website import TITLES
from tests.acceptance.onpoint.conftest import DATA, Lake, Loaded

ALLOWED = {
    *("/", "/circle/1", "/circle/2", "/circle/3", "/moved", "/here", "/moved/away"),
    *(f"/moved/{n}" for n in range(1, 7)),
    *TITLES,
    *("/private/door", "/list", "/list?page=2", "/big", "/missing", "/brochure.pdf"),
    *("/copy", "/original", "/hidden", "/found"),
    *(f"/trap/{n}" for n in range(1, 10)),
}
"""Expected requests: five redirects in a row and five links into the trap, and no more."""
SKIPPED = {
    "/moved": "it has moved to /here",
    "/moved/away": "it has moved out of the site, to http://elsewhere.test/",
    "/missing": "answered 404",
    "/brochure.pdf": "no page: application/pdf",
    "/copy": "its canonical address is /original",
    "/hidden": "it asks not to be kept",
    **{f"/moved/{n}": f"it has moved to /moved/{n + 1}" for n in range(1, 6)},
}
FAILED = {
    "/big": "the answer is larger than 2000000 bytes",
    "/moved/6": "it is the sixth redirect in a row",
}


@pytest.fixture
def site(lake: Lake) -> StandIn:
    """Return the web site."""
    return lake.services["website"]


def asked(site: StandIn, since: int = 0) -> Counter[str]:
    """Count the site's requests, from a given call on."""
    return Counter(
        "?".join(filter(None, (x.ask.path, "&".join(f"{y}={z}" for y, z in x.ask.query.items()))))
        for x in site.calls[since:]
    )


def endings(lake: Lake, run_id: str, status: str) -> dict[str, str]:
    """Return the reasons why pages were not stored."""
    rows = lake.plan.sql(
        "select asset, coalesce(reason, error) as reason from headgate.v_asset_processing_history"
        " where run_id = %(r)s and operation = 'onpoint_page' and status = %(s)s",
        r=run_id,
        s=status,
    )
    return {x["asset"]: x["reason"] for x in rows}


def test_o1_every_page_is_requested_once_and_none_that_is_disallowed(loaded: Loaded):
    lake, run_id = loaded
    site = lake.services["website"]

    assert lake.steps(run_id)["crawl_web"] == "succeeded"
    assert asked(site) == Counter({"/robots.txt", *ALLOWED})
    kept = {x["path"] for x in lake.plan.sql("select path from onpoint.pages")}
    assert kept == ALLOWED - set(SKIPPED) - set(FAILED)


def test_o1_what_is_not_kept_says_why(loaded: Loaded):
    lake, run_id = loaded

    assert endings(lake, run_id, "skipped") == SKIPPED
    assert endings(lake, run_id, "failed") == FAILED


def test_o1_pages_are_read_in_their_charset(loaded: Loaded):
    lake, _ = loaded

    rows = lake.plan.sql("select path, title from onpoint.pages where path like '/charset/%%'")
    assert {x["path"]: x["title"] for x in rows} == TITLES


def test_o1_the_pace_is_what_robots_txt_asks_for(loaded: Loaded):
    lake, _ = loaded
    rows = lake.plan.sql(
        "select p.crawl_delay, p.start_every, p.starts_at_once from headgate.providers as p"
        " where p.name = 'onpoint_website'"
    )

    pause = timedelta(seconds=0.02)
    assert rows == [{"crawl_delay": pause, "start_every": pause, "starts_at_once": 1}]


async def test_o1_a_second_run_asks_for_what_has_changed_alone(lake: Lake, site: StandIn):
    await lake.run(DATA, max_stories=3)
    before, rows = len(site.calls), lake.plan.sql("select * from onpoint.pages")
    run_id = await lake.run(DATA, max_stories=3)

    again = site.calls[before:]
    assert asked(site, before) == Counter(ALLOWED)
    kept = {x["path"] for x in rows}
    assert {x.ask.path for x in again if x.status == 304} >= {x.partition("?")[0] for x in kept}
    unchanged = endings(lake, run_id, "skipped")
    assert {unchanged[x] for x in kept} == {"unchanged since it was read last (304)"}
    assert lake.plan.sql("select * from onpoint.pages") == rows


@pytest.mark.parametrize(
    ("reply", "crawled"),
    [
        (Reply(status=404), True),
        (Reply(status=503), False),
        (Reply(b"User-agent: *\nDisallow: /"), False),
    ],
    ids=["none", "broken", "all"],
)
async def test_o1_without_an_answer_of_robots_txt_nothing_is_requested(
    lake: Lake, site: StandIn, reply: Reply, crawled: bool
):
    site.routes = {("GET", "/robots.txt"): lambda _: reply}
    lake.plan.sql(
        "update headgate.operations set max_attempts = 1, max_wait = '1 second' where name = 'onpoint_robots'"
    )
    run_id = await lake.run(DATA, max_stories=3, max_depth=1)

    steps = lake.steps(run_id)
    assert (steps["read_robots"], steps["crawl_web"]) == (
        ("succeeded", "succeeded") if crawled else ("failed", "skipped")
    )
    assert (set(asked(site)) == {"/robots.txt"}) is not crawled
    assert steps["load_data"] == "succeeded"
