"""The request of a call: its headers, and that its URL never leaves the provider's place."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from headgate.errors import WrongPlan
from headgate.worker.chunks import Call
from headgate.worker.http_requests import request_of
from tests.runner.small_plan import OK

PER_ASSET = "{asset.base_url}"


def call(base_url: str = "http://shop.test/api", **changes: Any) -> Call:
    """Return a call as a claim describes it."""
    row: dict[str, Any] = {
        "base_url": base_url,
        "method": "GET",
        "headers": {},
        "auth": {"in": "none"},
        "timeout_seconds": 5,
        "max_bytes": 1_000,
        "in_flight": 1,
        "probe": False,
        "rules": [OK],
    }
    return Call.from_row({**row, **changes})


def test_a_path_goes_behind_the_providers_address_byte_by_byte():
    for url in ("/things/A%2FB.US?q=a%2Fb%20c", "things/A%2FB.US?q=a%2Fb%20c"):
        assert str(request_of(call(), url, None).url) == (
            "http://shop.test/api/things/A%2FB.US?q=a%2Fb%20c"
        )


def test_a_requests_own_headers_replace_those_of_the_call_in_any_case():
    given = call(headers={"X-Kind": "k", "X-Key": "none", "Accept": "text/csv"})

    sent = request_of(given, "/a", '{"a": 1}', {"x-key": "żółw"}).headers

    assert (sent["X-Kind"], sent["X-Key"], sent["Accept"]) == ("k", "żółw", "text/csv")
    assert sent["Content-Type"] == "application/json"


def test_a_header_that_is_not_a_line_of_text_makes_no_request():
    with pytest.raises(WrongPlan, match="'X-Key' cannot be sent"):
        request_of(call(), "/a", None, {"X-Key": "a\r\nX-Evil: 1"})


@pytest.mark.parametrize("url", ["/a/../../admin", "/..", "/a%2f..", "/x#fragment", "/a\r\nX: 1"])
def test_a_url_that_leaves_its_place_makes_no_request(url):
    with pytest.raises((ValueError, httpx2.InvalidURL)):
        request_of(call(), url, None)


@pytest.mark.parametrize(
    "url", ["//evil.test/x", "@evil.test/x", "http://evil.test/x", ":1@evil.test/"]
)
def test_a_url_with_another_host_is_a_path_of_the_provider(url):
    sent = request_of(call(), url, None).url

    assert sent.host == "shop.test" and sent.path.startswith("/api/")


@pytest.mark.parametrize(
    "url", ["/things", "file:///etc/passwd", "http://a@one.test/", "http:///x"]
)
def test_a_whole_url_is_an_address(url):
    with pytest.raises(ValueError, match="its base_url is not an address"):
        request_of(call(PER_ASSET), url, None)


@pytest.mark.parametrize("hosts", [[], ["elsewhere.test"], None])
def test_a_secret_goes_to_no_host_but_those_named(hosts):
    given = call(PER_ASSET, auth={"in": "bearer", "secret": "SHOP_TOKEN"}, hosts=hosts)

    with pytest.raises(ValueError, match="hosts"):
        request_of(given, "http://shop.test/things", None)
