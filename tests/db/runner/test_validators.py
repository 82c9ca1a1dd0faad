"""Conditional requests: an answer's validators are sent with the next request, until a reset."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.db.assets.site import pages, site
from tests.db.toy import Toy
from tests.plan import Row

ETAG, SINCE = 'W/"7"', "Tue, 05 Mar 2024 12:00:00 GMT"


@pytest.fixture
def shop(toy: Toy) -> Toy:
    """Open a site with one page."""
    return site(toy, "/")


def ask(toy: Toy, run: str) -> Row:
    """Claim the page in a new run."""
    toy.start(run, "crawl")
    toy.enqueue("walk", run, "crawl")
    (chunk,) = toy.claim()
    return chunk


def told(toy: Toy, chunk: Row, outcome: str = "success", **headers: str) -> None:
    """Complete it with an answer with these headers."""
    answer = json.dumps({"status": 200, "headers": headers})
    toy.complete(chunk, outcome, p_answers=[answer])
    toy.finish(chunk["run_id"], "crawl")


def sent(toy: Toy, run: str) -> dict[str, Any]:
    """Return the headers of the next request, which is skipped as unchanged."""
    chunk = ask(toy, run)
    told(toy, chunk, "skipped")
    headers: dict[str, Any] = (chunk["headers"] or [None])[0] or {}
    return headers


def test_the_first_request_has_no_condition_and_the_runner_is_to_tell_headers(shop: Toy):
    chunk = ask(shop, "r1")
    told(shop, chunk)

    assert chunk["call"]["answers"] == "headers"
    assert chunk["headers"] in (None, [None], [{}])


def test_the_version_of_what_was_stored_goes_with_the_next_requests(shop: Toy):
    told(shop, ask(shop, "r1"), **{"etag": ETAG, "last-modified": SINCE})

    expected = {"If-None-Match": ETAG, "If-Modified-Since": SINCE}
    assert sent(shop, "r2") == expected
    assert sent(shop, "r3") == expected


def test_a_later_answer_without_a_version_forgets_the_old_one(shop: Toy):
    told(shop, ask(shop, "r1"), etag=ETAG)
    told(shop, ask(shop, "r2"))

    assert sent(shop, "r3") == {}


@pytest.mark.parametrize("outcome", ["failed", "skipped"])
def test_the_version_of_what_was_not_stored_is_not_kept(shop: Toy, outcome: str):
    told(shop, ask(shop, "r1"), outcome, etag=ETAG)

    assert sent(shop, "r2") == {}


def test_a_reset_asks_for_everything_again(shop: Toy):
    told(shop, ask(shop, "r1"), etag=ETAG)
    chunk = ask(shop, "r2")
    shop.later(seconds=1)
    shop.call("reset_asset", p_asset_id=pages(shop)["/"]["asset_id"])
    told(shop, chunk, etag=ETAG)

    assert sent(shop, "r3") == {}


def test_values_that_no_header_can_hold_are_not_sent_back(shop: Toy):
    told(shop, ask(shop, "r1"), etag='"é"')

    assert sent(shop, "r2") == {}
