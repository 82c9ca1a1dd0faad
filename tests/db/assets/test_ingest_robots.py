"""Ingesting robots.txt: rules, the pace of all calls, and pages that become inactive or active."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.db.assets.site import pages, robots, site
from tests.db.toy import Toy


@pytest.fixture
def shop(toy: Toy) -> Toy:
    """Open a site with three pages."""
    return site(toy, "/", "/a", "/b")


def active(toy: Toy) -> set[str]:
    return {x for x, y in pages(toy).items() if y["is_active"]}


def provider(toy: Toy) -> dict[str, Any]:
    (row,) = toy.sql("select * from headgate.providers where name = 'site'")
    return row


def test_pages_that_it_disallows_rest_until_it_allows_them(shop: Toy):
    assert robots(shop, "-/a")["status"] == "success"
    assert active(shop) == {"/", "/b"}
    robots(shop, "-/b")
    assert active(shop) == {"/", "/a"}


def test_pages_that_an_operator_has_deactivated_stay_inactive(shop: Toy):
    shop.call("set_asset_active", p_asset_id=pages(shop)["/b"]["asset_id"], p_is_active=False)
    robots(shop)

    assert active(shop) == {"/", "/a"}


def test_no_file_allows_everything_and_forgets_what_one_said(shop: Toy):
    robots(shop, "-/a", delay=5)
    assert robots(shop, "-/", status=404)["status"] == "success"

    assert active(shop) == {"/", "/a", "/b"}
    assert provider(shop)["crawl_delay"] is None
    assert shop.sql("select from headgate.v_robots where provider = 'site'") == []


def test_a_moved_robots_txt_is_reported_and_changes_nothing(shop: Toy):
    robots(shop, "-/a")
    taken = robots(shop, status=301, location="https://site.test/robots.txt")

    assert taken["status"] == "failed"
    assert (
        "robots.txt has moved to https://site.test/robots.txt: set the address of provider site"
        in taken["reason"]
    )
    assert active(shop) == {"/", "/b"}


def test_a_site_that_allows_nothing_is_reported(shop: Toy):
    taken = robots(shop, "-/")

    assert (taken["status"], taken["reason"]) == (
        "failed",
        "the robots.txt of site allows none of its pages",
    )


def test_a_site_without_a_page_to_begin_with_is_reported(toy: Toy):
    taken = robots(site(toy))

    assert taken["status"] == "failed"
    assert "there is no page to begin with: headgate.upsert_assets('pages', ...)" in taken["reason"]


@pytest.mark.parametrize(
    ("delay", "limit", "every"),
    [(2.5, 600, 2.5), (2.5, 6, 10.2), (0.01, 600, 0.102), (90, None, 90)],
)
def test_the_crawl_delay_is_the_least_time_between_two_requests(
    shop: Toy, delay: float, limit: int | None, every: float
):
    shop.provider("site", requests_per_minute=limit)
    robots(shop, delay=delay)

    assert provider(shop)["start_every"] == timedelta(seconds=every)
    assert provider(shop)["starts_at_once"] == 1


def test_calls_start_as_the_crawl_delay_says(shop: Toy):
    robots(shop, delay=2)
    shop.start(pipeline="crawl")
    shop.enqueue("read_robots", pipeline="crawl")
    (read,) = shop.claim()
    shop.complete(read, "skipped")
    shop.enqueue("walk", pipeline="crawl")
    (chunk,) = shop.claim()

    assert len(chunk["asset_ids"]) == 3
    assert chunk["call"]["schedule"]["every"] == 2
    assert shop.next_start_at("site") == shop.now + timedelta(
        seconds=4 * 2
    )  # the request for robots.txt counts, too
    shop.complete(chunk)
