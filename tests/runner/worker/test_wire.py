"""Byte by byte on the wire: exactly the intended request is sent, and only the requested answer is read."""

from __future__ import annotations

import asyncio
import logging

import pytest

from headgate.errors import WrongPlan
from headgate.worker.calls import Caller
from headgate.worker.chunks import Call
from tests.limits import PATIENCE
from tests.runner.raw import Raw, as_json, open_raw, plain

OK = [
    {"status": "200-299", "outcome": "success", "fault": "item", "reason": "ok"},
    {"status": "error:cut", "outcome": "retry", "fault": "provider", "reason": "broken"},
]
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SECRET = "s3cr3t&=/ +%token"


@pytest.fixture
async def raw():
    async with open_raw() as opened:
        yield opened


@pytest.fixture
async def caller():
    made = Caller(10)
    yield made
    await made.aclose()


def call(raw: Raw, path: str = "/api/v1", **changes) -> Call:
    row = {"base_url": raw.url + path, "timeout_seconds": 20, "rules": OK, "in_flight": 10}
    return Call.from_row({**row, **changes})


def fault(reply) -> tuple[str, str, int]:
    return reply.outcome.outcome, reply.outcome.fault, reply.requests


# ---------------------------------------------------------------- what is sent


@pytest.mark.parametrize(
    "url",
    [
        "/get/A%2FB", "/get/a%2fb", "/get/%7Ea~b", "/get/a%09b%0D%0Ac", "/get//x", "/get/", "/get/a%5Cb",
        "/get/...", "/get/.hidden", "/get/a..b", "/get/..a", "/get/a..", "/get/%2E%2E%2E", "/get/%2E%2Ea",
        "/get/%252E%252E", "/get/%252e%252e%252fadmin", "/get/a?q=%27y%20z+w%2Bq", "/get/a?p=../..&q=%2E%2E/",
        "/get/a;b=c", "/get/a:b@c", "/get/a,b", "/get/%E9%20%C3%A9", "?q=1", "",
    ],
)  # fmt: skip
async def test_a_url_goes_out_as_it_is_written(raw, caller, url):
    reply = await caller.fetch(call(raw), url)

    assert reply.outcome.is_success
    assert raw.targets == [f"/api/v1{url}"]


@pytest.mark.parametrize(
    "segment",
    [
        "..", ".", "%2e%2e", "%2E%2E", ".%2e", "%2E.", "%2e", "..%2fadmin", "..%2F..%2F..%2Fadmin", "x%2f..%2f..%2fadmin",
        "%2e%2e%2fadmin", "%2F..", "..%5Cadmin", "x%5c..%5c..%5Cadmin", "%5C%2e%2E", "x%2F.",
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", ["/get/{}", "/get/{}/history", "/{}/x?y=1", "/get/a/{}?from=.."])
async def test_no_segment_leads_up_the_path(raw, caller, segment, place):
    reply = await caller.fetch(call(raw), place.format(segment))

    assert fault(reply) == ("failed", "item", 0)
    assert "leaves its place in the provider's path" in reply.outcome.reason
    assert not raw.heads


async def test_a_template_s_own_text_is_encoded_where_it_must_be(raw, caller):
    await caller.fetch(call(raw), '/gët/"a"<b>')

    assert raw.targets == ["/api/v1/g%C3%ABt/%22a%22%3Cb%3E"]


async def test_a_secret_is_added_and_nothing_else_is_touched(raw, caller, monkeypatch, caplog):
    monkeypatch.setenv("RAW_TOKEN", SECRET)
    caplog.set_level(logging.DEBUG)
    auth = {"in": "query", "name": "api token", "secret": "RAW_TOKEN"}

    await caller.fetch(call(raw, auth=auth), "/get/a%2Fb?q=%7E")
    await caller.fetch(call(raw, auth=auth), "/get/a%2Fb")

    added = "api%20token=s3cr3t%26%3D%2F%20%2B%25token"
    assert raw.targets == [f"/api/v1/get/a%2Fb?q=%7E&{added}", f"/api/v1/get/a%2Fb?{added}"]
    assert "s3cr3t" not in caplog.text


async def test_a_header_of_a_row_replaces_ours_and_may_hold_any_letter(raw, caller):
    await caller.fetch(call(raw, headers={"accept": "text/csv", "X-Name": "Zoë\tÅ"}), "/a")

    assert b"\r\naccept: text/csv\r\n" in raw.heads[0]
    assert "\r\nX-Name: Zoë\tÅ\r\n".encode() in raw.heads[0]
    assert b"*/*" not in raw.heads[0]


@pytest.mark.parametrize(
    "header",
    [
        {"X-A": "b\r\nX-Evil: 1"}, {"X-A": "b\nGET / HTTP/1.1"}, {"X-A\r\nX-Evil": "1"}, {"X A": "b"}, {"": "b"},
        {"X-Ä": "b"}, {"X-A:": "b"}, {"X-A": "\x00"}, {"X-A": "\x7f"}, {"Content-Length": "5"},
        {"transfer-encoding": "chunked"}, {"Connection": "X-A"}, {"Upgrade": "h2c"},
    ],
)  # fmt: skip
async def test_a_header_that_could_end_a_request_is_the_plan_s_fault(raw, header):
    with pytest.raises(WrongPlan, match="cannot be sent"):
        call(raw, headers=header)


async def test_a_secret_s_header_has_a_name_that_can_be_sent(raw):
    with pytest.raises(WrongPlan, match="cannot be sent"):
        call(raw, auth={"in": "header", "name": "X-A\r\nX-Evil", "secret": "RAW_TOKEN"})


# ---------------------------------------------------------------- heads


@pytest.mark.parametrize(
    "headers",
    [
        (b"X-Long: " + b"x" * 60_000,),
        tuple(b"X-%d: y" % n for n in range(900)),
        tuple(b"Set-Cookie: c%d=%s" % (n, b"v" * 500) for n in range(100)),
        (b"X-Odd: caf\xe9", b"X-Folded: a\r\n  b", b"Content-Type: text/plain", b"Content-Type: a/b"),
    ],
    ids=["long", "many", "cookies", "odd"],
)  # fmt: skip
async def test_heads_that_other_clients_read_are_read(raw, caller, headers):
    raw.answer = plain(b"ok", *headers)

    assert (await caller.fetch(call(raw), "/a")).payload == b"ok"


@pytest.mark.parametrize(
    "headers",
    [
        (b"X-Long: " + b"x" * 70_000,),
        (b"X-" + b"x" * 70_000 + b": y",),
        tuple(b"X-%d: %s" % (n, b"y" * 1_000) for n in range(70)),
        tuple(b"X-%d: y" % n for n in range(1_001)),
        tuple(b"Set-Cookie: c%d=%s" % (n, b"v" * 4_000) for n in range(10_000)),
    ],
    ids=["long", "long name", "many", "too many", "cookies for ever"],
)
async def test_a_head_that_is_too_large_is_reported_and_feeds_no_breaker(raw, caller, headers):
    raw.answer = plain(b"ok", *headers)

    reply = await caller.fetch(call(raw), "/a")

    assert fault(reply) == ("failed", "item", 1)
    assert reply.outcome.reason == "the answer's headers are larger than 65536 bytes, or too many"


async def test_a_head_without_an_end_is_not_read_for_ever(raw, caller):
    raw.answer = b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 12_000  # and no empty line

    assert "headers are larger" in (await caller.fetch(call(raw), "/a")).outcome.reason


async def test_cookies_are_not_collected(raw, caller):
    for number in range(20):
        raw.answer = plain(b"ok", b"Set-Cookie: c%d=1; Path=/" % number)
        await caller.fetch(call(raw), "/a")

    assert len(caller._session.cookie_jar) == 0
    assert not any(b"ookie" in head for head in raw.heads)


# ---------------------------------------------------------------- bodies


async def test_early_hints_are_not_the_answer(raw, caller):
    raw.answer = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 10 + plain(b"ok")

    assert (await caller.fetch(call(raw), "/a")).payload == b"ok"


async def test_early_hints_for_ever_are_cut_off(raw, caller):
    raw.answer = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 5_000

    assert "headers are larger" in (await caller.fetch(call(raw), "/a")).outcome.reason


async def test_trailers_are_left_out(raw, caller):
    raw.answer = CHUNKED + b"2\r\nok\r\n0\r\nX-A: b\r\nX-B: " + b"c" * 9_000 + b"\r\n\r\n"

    assert (await caller.fetch(call(raw), "/a")).payload == b"ok"
    assert (await caller.fetch(call(raw), "/a")).payload == b"ok"
    assert len(raw.connections) == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "not valid HTTP"),
        (b"HTTP/2 200 OK\r\nContent-Length: 2\r\n\r\nok", "not valid HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nok", "not valid HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok", "not valid HTTP"),
        (CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Length: 2\r\n\r\n"), "not valid HTTP"),
        (b"HTTP/1.1 200 OK\r\nX-A: \x00\r\nContent-Length: 2\r\n\r\nok", "not valid HTTP"),
        (CHUNKED + b"zz\r\nok\r\n0\r\n\r\n", "not valid HTTP"),
        (b"Connection: close\r\n\r\n", "not valid HTTP"),
        (plain(b"ok", b"Connection: close").replace(b"h: 2", b"h: 9"), "broke within the answer"),
        (CHUNKED[:-2] + b"Connection: close\r\n\r\n2\r\nok\r\n", "broke within the answer"),
    ],
)
async def test_an_incomplete_answer_is_reported_as_what_it_is(raw, caller, answer, reason):
    raw.answer = answer

    reply = await caller.fetch(call(raw), "/a")

    assert fault(reply) == ("retry", "provider", 1)
    assert reply.outcome.reason.startswith("broken (")
    assert reason in reply.outcome.reason


async def test_an_answer_longer_than_it_says_is_not_read_on(raw, caller):
    raw.answer = lambda head: (
        plain(b"okEVIL").replace(b"h: 6", b"h: 2") if not raw.heads[1:] else plain(b"2")
    )

    first = await caller.fetch(call(raw), "/a")
    second = await caller.fetch(call(raw), "/b")

    assert first.payload in (b"ok", None)
    assert second.payload == b"2"
    assert len(raw.connections) == 2


@pytest.mark.parametrize(
    "unasked",
    [
        as_json(b'["EVIL"]'),
        b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n",
        b"noise",
    ],
)
async def test_unrequested_data_are_never_taken_for_the_next_answer(raw, caller, unasked):
    first = await caller.fetch(call(raw), "/a")
    raw.connections[0].write(unasked)
    await raw.connections[0].drain()
    await until_closed(raw)
    raw.answer = plain(b"second")

    second = await caller.fetch(call(raw), "/b")

    assert (first.payload, second.payload) == (b"ok", b"second")
    assert len(raw.connections) == 2


async def test_an_answer_to_a_switch_of_protocols_is_judged(raw, caller):
    raw.answer = (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nxxxx"
    )

    reply = await caller.fetch(call(raw), "/a")

    assert reply.outcome.reason == "the answer fits no rule of the provider (101)"


async def until_closed(raw: Raw) -> None:
    """Wait until the runner has closed the connection that it kept."""
    async with asyncio.timeout(PATIENCE):
        while not raw.connections[0].transport.is_closing():
            await asyncio.sleep(0.01)
