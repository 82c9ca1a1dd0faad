"""Bodies of answers over real HTTP: unpacked, decoded, judged if empty, limited in size."""

from __future__ import annotations

import asyncio
import functools
import gzip
import threading
import zlib

import httpx2
import pytest

from headgate.worker import calls, judgements, payloads
from headgate.worker.bodies import Reader
from headgate.worker.buffer import Buffer, Share
from headgate.worker.calls import Caller
from headgate.worker.chunks import Call
from headgate.worker.payloads import BadPayload
from tests.limits import PATIENCE, until
from tests.runner.shop import Shop, body_of, flood, json_of, text_of

RULES = [
    {"status": "200", "outcome": "success", "fault": "item", "reason": "ok"},
    {
        "status": "429",
        "outcome": "retry",
        "fault": "provider",
        "reason": "x",
        "blocks": "retry_after",
    },
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
packed = functools.partial(gzip.compress, mtime=0)
PACKED = packed(b"[1]")


@pytest.fixture
async def caller():
    made = Caller(10)
    yield made
    await made.aclose()


def call(shop: Shop, **changes) -> Call:
    row = {"base_url": shop.url, "timeout_seconds": 20, "max_bytes": 1_000_000, "rules": RULES}
    return Call.from_row({**row, **changes})


@pytest.mark.parametrize("body", [b"no gzip", PACKED[:-5], PACKED[:20]])
@pytest.mark.parametrize("rules", [RULES, JSON_RULES])
async def test_a_broken_encoding_is_tried_again_at_the_items_cost(shop, caller, body, rules):
    shop.answer = body_of(body, "application/json", Content_Encoding="gzip")

    reply = await caller.fetch(call(shop, rules=rules), "/a")

    assert (reply.outcome.outcome, reply.outcome.fault, reply.requests) == ("retry", "item", 1)
    assert "encoding is broken" in reply.outcome.reason


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("x-gzip", PACKED),
        ("gzip", packed(b"[1") + packed(b"]")),
        ("gzip", PACKED + b"\0" * 20),
        ("deflate", zlib.compress(b"[1]")),
        ("deflate", zlib.compress(b"[1]")[2:-4]),
        ("deflate, gzip", packed(zlib.compress(b"[1]"))),
        ("identity", b"[1]"),
        ("UTF-8", b"[1]"),
    ],
)
async def test_answers_are_unpacked_as_servers_pack_them(shop, caller, encoding, body):
    shop.answer = body_of(body, "application/json", Content_Encoding=encoding)

    assert (await caller.fetch(call(shop), "/a")).payload == b"[1]"


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, br"])
async def test_an_encoding_that_nobody_requested_fails_its_item(shop, caller, encoding):
    shop.answer = body_of(b"\x0b\x02\x80[1]\x03", "application/json", Content_Encoding=encoding)

    reply = await caller.fetch(call(shop), "/a")

    assert shop.asked[0].headers["Accept-Encoding"] == "gzip, deflate"
    assert (reply.outcome.outcome, reply.outcome.fault, reply.requests) == ("failed", "item", 1)
    assert "which was not requested" in reply.outcome.reason
    json_reply = await caller.fetch(call(shop, rules=JSON_RULES), "/a")
    assert json_reply.outcome.reason == reply.outcome.reason


@pytest.mark.parametrize("body", [b"no gzip", PACKED[:-5], packed(b"x" * 300_000)])
async def test_a_broken_body_does_not_hide_what_the_status_means(shop, caller, body):
    shop.answer = body_of(body, "text/plain", status=429, Content_Encoding="gzip", Retry_After="7")

    reply = await caller.fetch(call(shop, max_bytes=100_000), "/a")

    assert reply.outcome.block is not None
    assert (reply.outcome.fault, reply.outcome.block.seconds) == ("provider", 7)


@pytest.mark.parametrize(
    "charset",
    ["utf-7", "hex", "base64", "undefined", "rot13", "idna", "punycode", "unicode_escape"],
)
async def test_an_invalid_charset_fails_its_item(shop, caller, charset):
    shop.answer = body_of(b'{"n": "+2AA-"}', f"application/json; charset={charset}")

    reply = await caller.fetch(call(shop), "/a")

    assert (reply.outcome.outcome, reply.outcome.fault, reply.requests) == ("failed", "item", 1)
    assert reply.outcome.reason == f"the answer's charset is '{charset}', which is not read"


async def test_numbers_of_any_length_are_json(shop, caller):
    text = f"[{'1' * 5_000}, 0.{'3' * 5_000}]"
    shop.answer = json_of(text)

    assert (await caller.fetch(call(shop), "/a")).payload == text.encode()


@pytest.mark.parametrize("status", [204, 205, 304])
@pytest.mark.parametrize("rules", [RULES, JSON_RULES])
async def test_a_provider_that_has_nothing_is_not_at_fault(shop, caller, status, rules):
    shop.answer = text_of("", status=status)

    reply = await caller.fetch(call(shop, rules=rules), "/a")

    assert (reply.outcome.outcome, reply.outcome.fault, reply.requests) == ("skipped", "item", 1)
    assert reply.outcome.reason == f"the provider has nothing for it ({status})"
    assert reply.payload is None


@pytest.mark.parametrize("content_type", ["application/json", "text/html", "text/plain"])
async def test_an_empty_answer_where_json_is_expected_costs_its_item_a_try(
    shop, caller, content_type
):
    shop.answer = body_of(b"", content_type)

    reply = await caller.fetch(call(shop, rules=JSON_RULES), "/a")

    assert (reply.outcome.outcome, reply.outcome.fault, reply.requests) == ("retry", "item", 1)
    assert reply.outcome.reason == "the answer is empty (200)"


async def test_an_answer_without_content_is_a_success_where_none_is_expected(shop, caller):
    rules = [{"status": "200-299", "outcome": "success", "fault": "item", "reason": "taken"}]
    shop.answer = text_of("", status=204)

    reply = await caller.fetch(call(shop, rules=rules), "/a")

    assert (reply.outcome.outcome, reply.payload) == ("success", b"")


@pytest.mark.parametrize(("size", "has_thread"), [(60_000, False), (70_000, True)])
async def test_a_large_answer_is_decoded_where_nobody_waits_for_it(
    shop, caller, monkeypatch, size, has_thread
):
    threads = []
    decode = judgements.text_of

    def watched(*given):
        threads.append(threading.current_thread() is not threading.main_thread())
        return decode(*given)

    monkeypatch.setattr(calls, "text_of", watched)
    text = "é漢" * (size // 4)  # two bytes each
    shop.answer = body_of(text.encode("gb18030"), "text/plain; charset=gb18030")

    reply = await caller.fetch(call(shop), "/a")

    assert bytes(reply.payload or b"") == text.encode()
    assert threads == [has_thread]


@pytest.mark.parametrize("charset", ["utf-8", "gb18030", "utf-16", "shift_jis", "iso-2022-jp"])
async def test_a_character_may_stand_where_two_pieces_meet(shop, caller, monkeypatch, charset):
    monkeypatch.setattr(payloads, "PIECE", 7)
    text = "漢字かな" * 50
    shop.answer = body_of(text.encode(charset), f"text/plain; charset={charset}")

    assert bytes((await caller.fetch(call(shop), "/a")).payload or b"") == text.encode()


async def test_a_broken_character_is_named_by_its_place_in_the_whole(shop, caller, monkeypatch):
    monkeypatch.setattr(payloads, "PIECE", 7)
    shop.answer = body_of(b"x" * 20 + "é".encode() + b"y\xff", "text/plain")

    reply = await caller.fetch(call(shop), "/a")

    assert reply.outcome.reason == "the answer is not utf-8 text (byte 23)"


def megabytes(count: float) -> int:
    return round(count * 1_048_576)


class Watched(Buffer):
    """A buffer that records the most it has held."""

    most_taken = 0

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name == "taken":
            self.most_taken = max(self.most_taken, self.taken)


async def test_all_answers_together_take_no_more_room_than_there_is(shop):
    buffer = Watched(megabytes(4))
    caller = Caller(20, buffer)

    async def fetch_and_drop(number: int) -> int:
        reply = await caller.fetch(call(shop, max_bytes=megabytes(64)), f"/{number}")
        return len(reply.payload or b"")

    shop.answer = shop.together(20, text_of("x" * megabytes(1)))
    lengths = await asyncio.gather(*map(fetch_and_drop, range(20)))
    await caller.aclose()

    assert lengths == [megabytes(1)] * 20
    assert megabytes(2) < buffer.most_taken <= megabytes(6), "one is decoded while it is held"
    await until(lambda: buffer.taken == 0)  # the thread that decoded the last one lets go of it


async def test_time_spent_waiting_for_room_is_not_the_providers():
    buffer = Buffer(megabytes(1))
    others = [Share(buffer), Share(buffer)]
    assert all(share.take(buffer.most) for share in others)

    async def body():
        yield b"x" * 100_000

    async with asyncio.timeout(PATIENCE) as deadline:
        ends = deadline.when() or 0.0
        reader = Reader(Share(buffer), deadline, buffer.most, BadPayload("too large"))
        reading = asyncio.ensure_future(reader.read(httpx2.Response(200, content=body())))
        while deadline.when() is not None:
            await asyncio.sleep(0)
        for share in others:
            share.close()
        read = await reading

        assert (len(read.data), read.problem) == (100_000, None)
        assert (deadline.when() or 0.0) >= ends


@pytest.mark.parametrize("waits", [True, False])
async def test_a_provider_that_hangs_up_while_the_buffer_is_full_is_not_at_fault(waits):
    buffer = Buffer(megabytes(1))
    others = [Share(buffer), Share(buffer)]
    assert not waits or all(share.take(buffer.most) for share in others)

    async def body():
        yield b"x" * 1_000
        raise httpx2.ReadError("cut")

    async with asyncio.timeout(PATIENCE) as deadline:
        reader = Reader(Share(buffer), deadline, buffer.most, BadPayload("too large"))
        reading = asyncio.ensure_future(reader.read(httpx2.Response(200, content=body())))
        while waits and deadline.when() is not None:
            await asyncio.sleep(0)
        for share in others:
            share.close()
        if not waits:
            with pytest.raises(httpx2.ReadError):
                await reading
            return
        read = await reading

    assert read.problem is not None
    assert (read.problem.outcome, read.problem.fault) == ("retry", "internal")


async def test_an_answer_this_worker_has_no_room_for_is_not_its_items_fault(shop):
    caller = Caller(10, Buffer(megabytes(1)))
    shop.special["/api/large"] = text_of("x" * 600_000)
    shop.special["/api/packed"] = body_of(
        packed(b"x" * 600_000), "text/plain", Content_Encoding="gzip"
    )

    for path in ("/large", "/packed"):
        reply = await caller.fetch(call(shop), path)
        assert (reply.outcome.outcome, reply.outcome.fault) == ("deferred", "internal")
        assert "524288 bytes, half of HEADGATE_MAX_BUFFER" in reply.outcome.reason
    await caller.aclose()


async def test_an_answer_counts_until_it_is_handed_in(shop):
    buffer = Buffer(megabytes(1))
    caller = Caller(10, buffer)
    shop.answer = text_of("x" * 100_000)

    reply = await caller.fetch(call(shop), "/a")
    together = await caller.fetch(call(shop, serves_all=True), "/a")
    await caller.aclose()

    assert 100_000 <= buffer.taken <= 101_000, "but not those that wait for each other"
    del reply, together
    assert buffer.taken == 0


@pytest.mark.parametrize("length", [1_001, 2_000, 70_000])
async def test_a_small_limit_holds_whatever_length_an_answer_names(shop, caller, length):
    shop.answer = text_of("x" * length)

    reply = await caller.fetch(call(shop, max_bytes=1_000), "/a")

    assert reply.outcome.reason == "the answer is larger than 1000 bytes"
    assert (await caller.fetch(call(shop, max_bytes=length), "/a")).payload == b"x" * length


async def test_an_answer_that_cannot_be_a_payload_is_read_only_as_far_as_rules_look(shop):
    buffer = Buffer(megabytes(1))
    caller = Caller(10, buffer)
    shop.answer = flood
    rules = [{"status": "404", "outcome": "failed", "fault": "item", "reason": "gone"}]

    reply = await caller.fetch(call(shop, rules=rules, max_bytes=megabytes(64)), "/a")
    await caller.aclose()

    assert reply.outcome.reason.startswith("the answer fits no rule")
