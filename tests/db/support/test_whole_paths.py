"""{asset.code!}: an asset's path and query are inserted unencoded, if a URL can hold them."""

from __future__ import annotations

import pytest

from tests.db.assets.site import pages, robots, site
from tests.db.declare.conftest import Shelf
from tests.db.toy import Toy


@pytest.mark.parametrize("path", ["/", "/a//b/", "/a%2Fb?c=d&e=%20", "/?x={asset.code}"])
def test_a_whole_path_is_not_encoded_again(toy: Toy, path: str):
    shop = site(toy, path)
    shop.start(pipeline="crawl")
    shop.enqueue("walk", pipeline="crawl")
    (chunk,) = shop.claim()
    shop.complete(chunk)

    assert chunk["urls"] == [path]


@pytest.mark.parametrize("path", ["a", "http://other.test/", "/a b", "/é", "/a\nb"])
def test_an_invalid_path_fails_only_its_own_job(toy: Toy, path: str):
    shop = site(toy, path, "/fine")
    shop.start(pipeline="crawl")
    shop.enqueue("walk", pipeline="crawl")
    (chunk,) = shop.claim()
    shop.complete(chunk)

    assert sorted(chunk["urls"], key=str) == ["/fine", None]
    (said,) = chunk["call"]["refused"].values()
    assert said == f"the path of {path} is not one that a URL can hold"


@pytest.mark.parametrize(
    "request_line",
    ["GET {asset.code!}?x=1", "GET {param.x!}", "GET {asset.code}", "GET x{asset.code!}"],
)
def test_a_malformed_request_is_a_mistake(toy: Toy, request_line: str):
    said = Shelf(toy).mistakes(
        "put_provider('site', 'http://site.test', auth => '{\"in\": \"none\"}')",
        f"put_operation('page', 'pages', due => 'run', provider => 'site', request => '{request_line}')",
    )
    assert "malformed request" in said


def test_a_path_that_robots_txt_disallows_is_never_requested(toy: Toy):
    shop = site(toy, "/", "/secret")
    robots(shop, "-/secret")
    door = pages(shop)["/secret"]["asset_id"]
    shop.call("set_asset_active", p_asset_id=door, p_is_active=True)
    shop.start(pipeline="crawl")
    shop.enqueue("walk", pipeline="crawl")
    (chunk,) = shop.claim()
    shop.complete(chunk)

    assert sorted(chunk["urls"], key=str) == ["/", None]
    assert chunk["call"]["refused"] == {str(door): "robots.txt disallows /secret"}
