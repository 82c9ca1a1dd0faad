"""Faults on request: each spoils answers as described, and is charged as described."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import aiohttp
import pytest

from headgate.demo.eodhd import Options, serve
from headgate.demo.eodhd.faults import WARNING, Faults
from tests.limits import until

FRIDAY_NIGHT = datetime(2026, 11, 20, 22, tzinfo=UTC)


async def ask(rules, path="eod/AAPL.US", **query):
    """Return status, content type, headers and body of one answer, and the units it cost."""
    async with serve(Options(faults=tuple(rules))) as standin, aiohttp.ClientSession() as session:
        standin.clock.set(FRIDAY_NIGHT)
        session._retry_connection = False  # a cut connection would be retried, and charged
        query = {"api_token": standin.token, "fmt": "json"} | query
        try:
            async with session.get(
                f"{standin.api}/{path}", params=query, allow_redirects=False
            ) as answer:
                body = await answer.read()
        except aiohttp.ClientError as exc:
            return exc, None, standin.report()["served_units"]
        return answer, body, standin.report()["served_units"]


def always(kind, **details):
    return [{"match": {"path": "^/api/"}, "fault": {"kind": kind} | details}]


@pytest.fixture
def pauses(monkeypatch):
    """Return the lengths of all pauses."""
    pauses, sleep = [], asyncio.sleep

    async def pause(seconds, *result):
        pauses.append(seconds)
        return await sleep(seconds, *result)

    monkeypatch.setattr(asyncio, "sleep", pause)
    return pauses


@pytest.mark.parametrize("status", [402, 429, 500, 502])
async def test_an_error_status_is_free(status):
    answer, body, units = await ask(always("status", status=status, retry_after=7))

    assert answer.status == status
    assert answer.headers["Retry-After"] == "7"
    assert answer.content_type == ("text/plain" if status == 402 else "text/html")
    assert b"{" not in body
    assert units == 0


async def test_429_may_come_without_retry_after():
    answer, _, _ = await ask(always("status", status=429))

    assert "Retry-After" not in answer.headers


async def test_a_redirect_points_elsewhere_and_is_free():
    answer, _, units = await ask(always("redirect", to="http://elsewhere.invalid/"))

    assert (answer.status, answer.headers["Location"]) == (302, "http://elsewhere.invalid/")
    assert units == 0


async def test_html_may_come_with_200():
    answer, body, units = await ask(always("html_200"))

    assert (answer.status, answer.content_type, units) == (200, "text/html", 1)
    assert body.startswith(b"<html>")


async def test_json_may_be_cut_or_of_another_shape_or_empty():
    _, cut, _ = await ask(always("truncated"))
    _, other, _ = await ask(always("wrong_json"))
    _, empty, units = await ask(always("empty"))
    _, nothing, _ = await ask(always("empty"), path="fundamentals/AAPL.US")

    with pytest.raises(json.JSONDecodeError):
        json.loads(cut)
    assert json.loads(other) == {"data": {"unexpected": [1, 2, 3]}}
    assert (empty, nothing, units) == (b"[]", b"{}", 1)


async def test_the_silent_cut_leaves_one_year_and_a_warning():
    _, body, _ = await ask(always("warning"), **{"from": "2020-01-01"})

    rows = json.loads(body)
    assert rows[0]["date"] == "2025-11-20"
    assert {row["warning"] for row in rows} == {WARNING}


async def test_bad_bars_have_the_defects_requested():
    _, body, _ = await ask(always("bad_bars", every=2, defects=["high_below_low", "no_close"]))

    rows = json.loads(body)
    assert rows[0]["high"] < rows[0]["low"]
    assert rows[2]["close"] is None
    assert all(row["low"] <= row["high"] and row["close"] for row in rows[1::2])


async def test_all_kinds_of_bad_bars_come_by_default():
    _, body, _ = await ask(always("bad_bars"))

    rows = json.loads(body)
    assert {"n/a"} == {x["open"] for x in rows if isinstance(x["open"], str)}
    assert any(row["date"] == "2099-01-04" for row in rows)


async def test_a_nul_may_be_escaped_or_raw():
    _, escaped, _ = await ask(always("nul"))
    _, raw, _ = await ask(always("nul", raw=True))

    assert "\0" in json.loads(escaped)[0]["date"]
    assert b"\0" in raw


async def test_a_charset_may_yield_what_is_not_a_character():
    answer, body, units = await ask(always("charset"))
    other, _, _ = await ask(always("charset", name="hex"))

    assert body.decode(answer.charset) == '[{"date": "\ud800"}]'
    assert (answer.content_type, other.charset, units) == ("application/json", "hex", 1)


async def test_there_may_be_no_content():
    answer, body, units = await ask(always("no_content"))

    assert (answer.status, body, units) == (204, b"", 1)


async def test_a_body_may_be_huge():
    _, body, _ = await ask(always("huge", megabytes=3))

    assert len(body) > 3_000_000
    assert json.loads(body)[-1]["date"] == "2026-11-20"


@pytest.mark.parametrize(("where", "units"), [("before", 0), ("unanswered", 1), ("body", 1)])
async def test_a_dropped_connection_is_charged_if_it_was_served(where, units):
    error, _, charged = await ask(always("drop", where=where))

    assert isinstance(error, aiohttp.ClientError)
    assert charged == units


async def test_a_slow_answer_drips(pauses):
    answer, body, units = await ask(always("drip", seconds=0.3, pieces=5))

    assert pauses.count(0.3 / 5) == 5
    assert json.loads(body)
    assert (answer.status, units) == (200, 1)


async def test_a_client_that_gives_up_is_charged():
    async with serve(Options(faults=tuple(always("hold")))) as standin:
        async with aiohttp.ClientSession() as session:
            asking = asyncio.ensure_future(
                session.get(f"{standin.api}/user", params={"api_token": standin.token})
            )
            await until(lambda: standin.report()["served_units"])
            asking.cancel()
            await asyncio.wait([asking])
        assert asking.cancelled()
        assert standin.report()["served_units"] == 1


async def test_a_held_answer_comes_when_the_rules_are_replaced():
    async with (
        serve(Options(faults=tuple(always("hold")))) as standin,
        aiohttp.ClientSession() as session,
    ):
        asking = asyncio.ensure_future(
            session.get(f"{standin.api}/user", params={"api_token": standin.token})
        )
        await until(lambda: standin.report()["served_units"])
        assert not asking.done()
        standin.faults.set([])
        async with await asking as answer:
            assert answer.status == 200


async def test_latency_lets_another_rule_decide_too(pauses):
    answer, _, _ = await ask(always("latency", ms=200) + always("status", status=502))

    assert answer.status == 502
    assert 0.2 in pauses


def hits(match, requests):
    faults = Faults([{"match": match, "fault": "empty"}], seed=1)
    return [faults.pick(path, path.rpartition("/")[2])[1] is not None for path in requests]


def test_rules_pick_by_path_code_and_turn():
    same = ["/api/eod/A.US"] * 6

    assert hits({"path": "^/api/eod/"}, ["/api/eod/A.US", "/api/user"]) == [True, False]
    assert hits({"code": r"A\.US"}, ["/api/eod/A.US", "/api/eod/AA.US"]) == [True, False]
    assert hits({"first": 2}, same) == [True, True, False, False, False, False]
    assert hits({"after": 4}, same) == [False, False, False, False, True, True]
    assert hits({"every": 3}, same) == [False, False, True, False, False, True]


def test_chance_does_not_depend_on_the_order_of_requests():
    paths = [f"/api/eod/{number}.US" for number in range(2_000)]
    there = dict(zip(paths, hits({"probability": 0.1}, paths), strict=True))
    turned = paths[::-1]
    back = dict(zip(turned, hits({"probability": 0.1}, turned), strict=True))

    assert there == back
    assert 140 <= sum(there.values()) <= 260


@pytest.mark.parametrize(
    "rule", [{"fault": "nonsense"}, {}, {"match": {"paht": "x"}, "fault": "empty"}]
)
def test_a_rule_that_cannot_be_is_refused(rule):
    with pytest.raises(ValueError, match="unknown"):
        Faults([rule])


async def test_rules_change_while_it_runs():
    async with serve(Options()) as standin, aiohttp.ClientSession() as session:
        refused = await session.post(f"{standin.url}/_faults", json=[{"fault": "nonsense"}])
        taken = await session.post(f"{standin.url}/_faults", json=always("status", status=500))
        async with session.get(f"{standin.api}/user?api_token={standin.token}") as answer:
            assert (refused.status, taken.status, answer.status) == (400, 200, 500)

    assert standin.report()["faults"] == {"status": 1}
