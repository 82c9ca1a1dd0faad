"""Calls over real HTTP: what is sent, what an answer causes, and what must never be shown."""

from __future__ import annotations

import gzip
import logging
import socket

import pytest

from headgate.errors import SecretMissing
from headgate.worker import calls
from headgate.worker.calls import Caller
from headgate.worker.chunks import Call
from tests.limits import PATIENCE
from tests.runner.shop import (
    Shop,
    body_of,
    cut,
    cut_in_body,
    drip,
    flood,
    json_of,
    never,
    open_shop,
    text_of,
)

SECRET = "s3cr3t&=/ +%token"
RULES = [
    {"status": "200", "outcome": "success", "fault": "item", "reason": "ok"},
    {"status": "404", "outcome": "failed", "fault": "item", "reason": "no such thing"},
    {
        "status": "429",
        "outcome": "retry",
        "fault": "provider",
        "reason": "x",
        "blocks": "retry_after",
    },
    {"status": "error:timeout", "outcome": "retry", "fault": "provider", "reason": "late"},
]

JSON_RULES = [
    {
        "status": "200",
        "content_type": "json",
        "outcome": "success",
        "fault": "item",
        "reason": "data",
    },
    {"status": "200", "outcome": "retry", "fault": "provider", "reason": "no JSON: maintenance"},
    {"status": "300-399", "outcome": "failed", "fault": "provider", "reason": "it has moved"},
]
PACKED = gzip.compress(b"[1]")


@pytest.fixture
async def caller(monkeypatch):
    monkeypatch.setattr(calls, "IDLE_CONNECTION_SECONDS", PATIENCE)
    made = Caller(10)
    yield made
    await made.aclose()


@pytest.fixture(autouse=True)
def _secret(monkeypatch):
    monkeypatch.setenv("SHOP_TOKEN", SECRET)


def call(shop: Shop | str, **changes) -> Call:
    row = {
        "base_url": shop if isinstance(shop, str) else shop.url,
        "method": "GET",
        "headers": {},
        "auth": {"in": "none"},
        "timeout_seconds": PATIENCE,
        "max_bytes": 1_000_000,
        "in_flight": 10,
        "probe": False,
        "rules": RULES,
    }
    return Call.from_row({**row, **changes})


def with_secret(place: str) -> dict[str, str]:
    return {"in": place, "name": "api_token", "secret": "SHOP_TOKEN"}


async def test_an_answer_becomes_a_payload(shop, caller):
    shop.answer = json_of('[{"a": 1}]')

    reply = await caller.fetch(call(shop), "/things/A%2FB.US?fmt=json&q=a%2Fb%20c%2B%26")

    assert reply.outcome.is_success
    assert reply.payload == b'[{"a": 1}]'
    assert reply.requests == 1
    assert reply.duration_ms >= 0
    assert shop.asked[0].rel_url.raw_path == "/api/things/A%2FB.US"
    assert dict(shop.asked[0].query) == {"fmt": "json", "q": "a/b c+&"}


async def test_headers_and_body_are_sent(shop, caller):
    given = call(shop, method="POST", headers={"X-Kind": "k", "Accept": "text/csv"})
    bodies = []

    async def keep(request):
        bodies.append(await request.text())
        return await json_of("{}")(request)

    shop.answer = keep
    await caller.fetch(given, "/things", '{"a": 1}')

    (asked,) = shop.asked
    assert (asked.method, bodies) == ("POST", ['{"a": 1}'])
    assert asked.headers["X-Kind"] == "k"
    assert asked.headers["Accept"] == "text/csv"
    assert asked.headers["Content-Type"] == "application/json"


async def test_a_request_s_own_headers_go_with_it_alone(shop, caller):
    given = call(shop, headers={"X-Kind": "k", "X-Key": "none"})
    for own in ({"X-Key": "1"}, None, {"x-key": "2"}):
        await caller.fetch(given, "/a", None, own)

    assert [x.headers["X-Key"] for x in shop.asked] == ["1", "none", "2"]
    assert {x.headers["X-Kind"] for x in shop.asked} == {"k"}


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\0b", "\x7f", "\u2028"])
async def test_an_own_header_that_is_not_a_line_of_text_fails_its_item(shop, caller, value):
    reply = await caller.fetch(call(shop), "/a", own={"X-Key": value})

    assert (reply.outcome.outcome, reply.outcome.fault, reply.requests) == ("failed", "item", 0)
    assert "'X-Key' cannot be sent" in reply.outcome.reason
    assert not shop.asked


async def test_an_own_header_may_be_in_any_script(shop, caller):
    await caller.fetch(call(shop), "/a", own={"X-Key": "żółw \U0001f422"})

    assert shop.asked[0].headers["X-Key"] == "żółw \U0001f422"


async def test_a_request_s_own_headers_do_not_reach_the_secret(shop, caller):
    given = call(shop, auth={"in": "bearer", "secret": "SHOP_TOKEN"})
    await caller.fetch(given, "/a", None, {"Authorization": "mine"})

    assert shop.asked[0].headers["Authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize(("url", "name"), [("/a?x=1", "api_token"), ("/a", "api_token")])
async def test_a_secret_goes_into_the_query(shop, caller, url, name):
    await caller.fetch(call(shop, auth=with_secret("query")), url)

    assert shop.asked[0].query[name] == SECRET


async def test_a_secret_goes_into_a_header(shop, caller):
    await caller.fetch(call(shop, auth=with_secret("header")), "/a")

    assert shop.asked[0].headers["api_token"] == SECRET
    assert "api_token" not in shop.asked[0].query


async def test_a_secret_goes_out_as_a_bearer_token(shop, caller):
    await caller.fetch(call(shop, auth=with_secret("bearer")), "/a")

    assert shop.asked[0].headers["Authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize("place", ["query", "header", "bearer"])
async def test_a_secret_shows_in_no_log_and_no_error(shop, caller, caplog, place):
    caplog.set_level(logging.DEBUG)
    for path, answer in {
        "/api/cut": cut,
        "/api/moved": text_of("", status=302, Location="http://127.0.0.1:1/x"),
        "/api/no": text_of(f"wrong token {SECRET}", status=403),
        "/api/bad": json_of(f'["{SECRET}", NaN]'),
    }.items():
        shop.special[path] = answer
    given = call(shop, auth=with_secret(place))

    replies = [await caller.fetch(given, path) for path in ("/ok", "/cut", "/moved")]
    replies += [await caller.fetch(given, path) for path in ("/no", "/bad", "/a\nb", "//x@y:z")]
    shop.special["/api/late"] = never()
    late = call(shop, auth=with_secret(place), timeout_seconds=0.3)
    replies.append(await caller.fetch(late, "/late"))
    closed = call("http://127.0.0.1:1/api", auth=with_secret(place))
    replies.append(await caller.fetch(closed, "/x"))

    shown = caplog.text + repr(replies) + repr(given)
    assert len(shop.asked) >= 6
    assert "s3cr3t" not in shown


async def test_an_answer_that_repeats_the_secret_is_kept_without_it(shop, caller):
    shop.answer = text_of(f"next page: /x?api_token={SECRET}&page=2")

    reply = await caller.fetch(call(shop, auth=with_secret("query")), "/a")

    assert reply.payload == b"next page: /x?api_token=[secret]&page=2"


@pytest.mark.parametrize("value", [None, "", "  ", "a\nb"])
async def test_a_missing_secret_is_named(shop, caller, monkeypatch, value):
    if value is None:
        monkeypatch.delenv("SHOP_TOKEN")
    else:
        monkeypatch.setenv("SHOP_TOKEN", value)

    with pytest.raises(SecretMissing, match="SHOP_TOKEN"):
        await caller.fetch(call(shop, auth=with_secret("query")), "/a")
    assert not shop.asked


async def test_the_rules_judge_the_answer(shop, caller):
    shop.special["/api/gone"] = text_of("Ticker not found", status=404)
    shop.special["/api/busy"] = text_of("", status=429, Retry_After="7")

    gone = await caller.fetch(call(shop), "/gone")
    busy = await caller.fetch(call(shop), "/busy")

    assert (gone.outcome.outcome, gone.outcome.fault, gone.payload) == ("failed", "item", None)
    assert gone.outcome.reason == "no such thing (404: Ticker not found)"
    assert busy.outcome.block is not None
    assert busy.outcome.block.seconds == 7


async def test_a_redirect_is_not_followed(shop, caller):
    async with open_shop() as other:
        for status in (301, 302, 303, 307, 308):
            shop.answer = text_of("", status=status, Location=f"{other.url}/x")
            reply = await caller.fetch(call(shop), "/a")
            assert reply.outcome.outcome == "retry"

        assert len(shop.asked) == 5
        assert not other.asked


async def test_a_redirect_to_nonsense_is_an_answer_like_any_other(shop, caller):
    shop.answer = text_of("", status=302, Location="http://[broken")

    reply = await caller.fetch(call(shop), "/a")

    assert (reply.outcome.outcome, reply.requests) == ("retry", 1)


@pytest.mark.parametrize("answer", [never(), drip])
async def test_a_call_takes_no_longer_than_it_may(shop, caller, answer):
    await caller.fetch(call(shop), "/first")  # whose connection is there for the second request
    shop.answer = answer

    reply = await caller.fetch(call(shop, timeout_seconds=1), "/a")

    assert reply.outcome.reason == "late (no answer within 1 seconds)"
    assert reply.requests == 1
    assert reply.duration_ms >= 900


@pytest.mark.parametrize("answer", [cut, cut_in_body])
async def test_a_cut_connection_may_have_been_served(shop, caller, answer):
    shop.answer = answer

    reply = await caller.fetch(call(shop), "/a")

    assert (reply.outcome.outcome, reply.outcome.fault, reply.requests) == ("retry", "provider", 1)
    assert "the connection broke" in reply.outcome.reason


async def test_nothing_is_sent_twice_when_a_kept_connection_breaks(shop, caller):
    await caller.fetch(call(shop), "/first")
    shop.answer = cut

    await caller.fetch(call(shop), "/second")

    assert shop.paths() == ["/api/first", "/api/second"]
    assert len(shop.connections) == 1


async def test_a_refused_connection_was_never_sent(caller):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/api"

        reply = await caller.fetch(call(url), "/a")

    assert (reply.outcome.outcome, reply.outcome.fault, reply.requests) == ("retry", "provider", 0)
    assert "could not connect: Connect" in reply.outcome.reason


async def test_an_unknown_host_was_never_asked(caller):
    reply = await caller.fetch(call("http://no-such-host.invalid/api"), "/a")

    assert (reply.outcome.fault, reply.requests) == ("provider", 0)


@pytest.mark.parametrize(
    "url", ["/a/../../admin", "/..", "/x#fragment", "/a\r\nX-Evil: 1", "/\x00", "/a\x7f"]
)
async def test_a_url_that_leaves_its_place_is_not_asked(shop, caller, url):
    reply = await caller.fetch(call(shop), url)

    assert (reply.outcome.outcome, reply.outcome.fault, reply.requests) == ("failed", "item", 0)
    assert not shop.asked


@pytest.mark.parametrize(
    "url", ["//evil.example/x", "@evil.example/x", "http://evil.example/x", ":1@evil.example/"]
)
async def test_no_url_reaches_another_host(shop, caller, url):
    await caller.fetch(call(shop, auth=with_secret("query")), url)

    assert all(asked.host.startswith("127.0.0.1") for asked in shop.asked)
    assert all(path.startswith("/api/") for path in shop.paths())


async def test_whole_urls_go_where_each_asset_is(shop, caller):
    reply = await caller.fetch(call("{asset.base_url}"), f"{shop.url}/things?x=1")

    assert reply.outcome.is_success
    assert shop.asked[0].rel_url.raw_path_qs.endswith("/things?x=1")


async def test_a_secret_goes_to_a_host_that_is_named(shop, caller, monkeypatch):
    monkeypatch.setenv("SHOP_TOKEN", SECRET)
    host = shop.url.split("/")[2]
    asked = call("{asset.base_url}", auth=with_secret("bearer"), hosts=[host])
    reply = await caller.fetch(asked, f"{shop.url}/things")

    assert reply.outcome.is_success


async def test_line_breaks_in_a_parameter_stay_in_the_parameter(shop, caller):
    await caller.fetch(call(shop), "/things/a%0D%0AX-Evil%3A%201?q=b%0D%0Ac")

    assert "X-Evil" not in shop.asked[0].headers
    assert shop.asked[0].query["q"] == "b\r\nc"
    assert shop.asked[0].path == "/api/things/a\r\nX-Evil: 1"


async def test_a_body_beyond_the_limit_is_not_read_to_its_end(shop, caller):
    shop.answer = flood

    reply = await caller.fetch(call(shop, max_bytes=200_000), "/a")

    assert (reply.outcome.outcome, reply.outcome.fault, reply.requests) == ("failed", "item", 1)
    assert reply.outcome.reason == "the answer is larger than 200000 bytes"
    assert reply.payload is None


async def test_a_large_body_does_not_hide_what_the_status_means(shop, caller):
    shop.answer = text_of("x" * 300_000, status=404)

    reply = await caller.fetch(call(shop, max_bytes=100_000), "/a")

    assert reply.outcome.reason.startswith("no such thing (404: xxx")
    assert len(reply.outcome.reason) < 300


async def test_a_packed_body_counts_unpacked(shop, caller):
    packed = gzip.compress(b" " * 10_000_000)
    shop.special["/api/bomb"] = body_of(packed, "application/json", Content_Encoding="gzip")
    shop.special["/api/fine"] = body_of(
        gzip.compress(b"[1]"), "application/json", Content_Encoding="gzip"
    )

    bomb = await caller.fetch(call(shop), "/bomb")
    fine = await caller.fetch(call(shop), "/fine")

    assert "larger than" in bomb.outcome.reason
    assert fine.payload == b"[1]"


@pytest.mark.parametrize(
    ("body", "content_type", "payload"),
    [
        ("[1]".encode("utf-8-sig"), "application/json", "[1]"),
        ("é".encode(), "text/plain", "é"),
        ("é".encode("latin-1"), "text/plain; charset=ISO-8859-1", "é"),
        ("é".encode(), "text/plain; charset=klingon", "é"),
        (b"", "text/plain", ""),
    ],
)
async def test_text_is_decoded_as_it_says(shop, caller, body, content_type, payload):
    shop.answer = body_of(body, content_type)

    assert (await caller.fetch(call(shop), "/a")).payload == payload.encode()


@pytest.mark.parametrize("body", [b'["a\x00b"]', b"\xff\xfe[1]", b"caf\xe9"])
async def test_a_body_that_postgres_cannot_store_fails_its_item(shop, caller, body):
    shop.answer = body_of(body, "application/json")

    reply = await caller.fetch(call(shop), "/a")

    assert (reply.outcome.outcome, reply.outcome.fault) == ("failed", "item")
    assert reply.payload is None


@pytest.mark.parametrize(
    "text",
    ['[{"a": 1}, {"a"', "[NaN]", "[Infinity]", "<html>", "[" * 100_000, "[" + "1," * 600_000],
)
async def test_broken_json_is_tried_again_at_the_items_cost(shop, caller, text):
    shop.answer = json_of(text)

    reply = await caller.fetch(call(shop, max_bytes=10_000_000), "/a")

    assert (reply.outcome.outcome, reply.outcome.fault) == ("retry", "item")
    assert "JSON" in reply.outcome.reason
    assert reply.payload is None


async def test_json_is_looked_for_however_it_is_written(shop, caller):
    shop.answer = body_of(b"broken {", "Application/Problem+JSON; charset=UTF-8")

    assert (await caller.fetch(call(shop), "/a")).outcome.outcome == "retry"


async def test_no_json_is_looked_for_under_another_status(shop, caller):
    shop.special["/api/no"] = json_of("broken {", status=203)
    rules = [{"status": "200-299", "outcome": "success", "reason": "ok"}]

    reply = await caller.fetch(call(shop, rules=rules), "/no")

    assert reply.payload == b"broken {"


async def test_proxies_and_passwords_of_the_surroundings_are_not_used(
    shop, caller, monkeypatch, tmp_path
):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password pw")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    assert (await caller.fetch(call(shop), "/a")).outcome.is_success
    assert "Authorization" not in shop.asked[0].headers


async def test_a_cookie_is_not_brought_back(shop, caller):
    shop.answer = text_of("", Set_Cookie="session=1; Path=/")

    await caller.fetch(call(shop), "/a")
    await caller.fetch(call(shop), "/b")

    assert "Cookie" not in shop.asked[1].headers


async def test_one_pool_serves_a_provider(shop, caller):
    for number in range(20):
        await caller.fetch(call(shop, timeout_seconds=PATIENCE + number), f"/{number}")

    assert len(shop.connections) == 1
