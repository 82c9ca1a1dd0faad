"""Hostile keys, groups, parameters, templates and payloads: stored unchanged, or rejected with a clear error."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg
import pytest

from tests.db.toy import Toy

HOSTILE = {
    "quotes": "x'; drop table headgate.chunks; --",
    "double quotes": 'x" onload="alert(1)',
    "dollar quotes": "$func$ begin; end; $func$",
    "a function of psql": "\\! rm -rf /",
    "format strings": "%s %I %L %1$s %n {0} {asset.code} {param.lang} ${PATH} #{x}",
    "a path up": "../../../../etc/passwd",
    "a path up, encoded": "..%2f..%2fetc%2fpasswd",
    "a header": "AAPL\r\nX-Injected: yes\r\n\r\nGET / HTTP/1.1",
    "another host": "//thief.test/",
    "another host with a user": "@thief.test",
    "a scheme": "http://thief.test/?x=",
    "a query": "?token=mine&a=b#c",
    "white space": " \t\v\u00a0\u2003 ",
    "right to left": "\u202egnp.exe",
    "outside of the plane": "\U0001f9ee\U0010ffff",
    "combining marks": "e" + "\u0301" * 200,
    "a number": "1e309",
    "a boolean": "null",
    "an array": "{a,b,NULL}",
    "json": '{"raise": "XX000"}',
    "a backslash": "\\",
    "control characters": "".join(map(chr, range(1, 32))),
}
CLEAR = ("22", "23", "HG")
"""SQLSTATE classes of errors that describe bad data."""


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_key_is_one_asset_whose_url_stays_in_its_place(toy: Toy, value: str):
    toy.upsert([{"code": value, "group_key": "A"}])
    toy.begin()
    (chunk,) = toy.claim()

    assert chunk["assets"] == [value]
    (url,) = chunk["urls"]
    parts = urlsplit("http://shop.test/api" + url)
    assert (parts.scheme, parts.netloc) == ("http", "shop.test")
    assert parts.query == parts.fragment == ""
    assert url.startswith("/look/") and "/" not in url.removeprefix("/look/")
    assert url.isascii() and url.isprintable() and " " not in url
    assert unquote(url.removeprefix("/look/")) == value
    toy.complete(chunk)
    assert toy.endings() == {"success": 1}


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_parameter_is_a_value_in_its_query(toy: Toy, value: str):
    toy.add(1, "W", "books")
    toy.begin("west", pipeline="library", lang=value)
    urls = [url for chunk in toy.claim(chunks=5) for url in chunk["urls"]]
    (opened,) = [x for x in urls if x.startswith("/open/")]

    assert unquote(urlsplit(opened).query.removeprefix("lang=")) == value
    assert urlsplit(opened).query.count("&") == 0
    assert opened.isascii() and opened.isprintable()


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_name_is_unknown_and_said_to_be(toy: Toy, value: str):
    toy.add(1)
    toy.start()
    calls = {
        "HG001": lambda: toy.start("r2", value),
        "HG002": lambda: toy.step("a", value),
        "HG003": lambda: toy.step(value),
        "HG004": lambda: toy.call("reset_asset", p_asset_id=lowest(toy), p_operations=[value]),
        "HG005": lambda: toy.provider(value, quota=1),
        "HG006": lambda: toy.start("r2", "library", p_params={"groups": [value]}),
        "HG007": lambda: toy.start("r2", "library", p_params={value: 1}),
        "HG008": lambda: toy.call("set_provider", p_provider="shop", p_changes={value: 1}),
        "HG009": lambda: toy.call("find_asset", p_universe="things", p_code=value),
    }
    with toy.unchanged():
        for code, call in calls.items():
            with toy.refused(code):
                call()


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_group_runner_run_and_reason_are_kept_as_they_are(toy: Toy, value: str):
    toy.sql("update headgate.pipeline_steps set group_keys = null where step = 'a'")
    toy.upsert([{"code": "one", "group_key": value}])
    run = re.sub(r"[\x00-\x1f\x7f-\x9f]", "?", value)  # a name with control characters is refused
    toy.begin(run=run)
    (chunk,) = toy.claim(value)
    toy.complete(chunk, "failed", runner=value, says={"reason": value})

    (ended,) = toy.details()
    assert (ended["run_id"], ended["status"]) == (run, "failed")
    assert toy.sql("select group_key from headgate.v_assets") == [{"group_key": value}]


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "null",
        "[" * 50_000,
        '{"a":' * 10_000 + "1" + "}" * 10_000,
        json.dumps({"status": "x'; drop table headgate.chunks; --"}),
        json.dumps({"watermark": "yesterday'"}),
        json.dumps({"records": 10**30}),
        '{"status": "success", "status": "failed"}',
        '{"reason": "\\u0000"}',
        '{"reason": "\\ud800"}',
        "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY y SYSTEM 'file:///etc/passwd'>]><x>&y;</x>",
        "x" * 10_000_000,
    ],
    ids=lambda x: f"{x[:20]} ({len(x)})",
)
def test_a_hostile_payload_harms_only_its_own_job(toy: Toy, payload: str):
    toy.add(3)
    toy.begin()
    (chunk,) = toy.claim()
    toy.call(
        "complete_jobs",
        p_runner="w1",
        p_chunk_id=chunk["chunk_id"],
        p_lease_no=chunk["lease_no"],
        p_asset_ids=chunk["asset_ids"],
        p_outcomes=["success"] * 3,
        p_faults=["item"] * 3,
        p_payloads=["{}", payload, "{}"],
    )

    ended = [x["status"] for x in toy.details()]
    assert ended[0] == ended[2] == "success"
    assert ended[1] in ("success", "failed", "deferred")
    assert sum(len(x["error"] or "") + len(x["reason"] or "") for x in toy.details()) < 4_000


@pytest.mark.parametrize(
    "document",
    [
        {"code": "x" * 10_000_000, "group_key": "A"},
        {"code": "x", "group_key": ""},
        {"code": "", "group_key": "A"},
        {"code": ["x"], "group_key": {"y": 1}},
        {"code": "x", "group_key": "A", "weight": "NaN"},
        {"code": "x", "group_key": "A", "weight": -1},
        {"code": "x", "group_key": "A", "attributes": []},
        {"code": "x", "group_key": "A", "calendar": "'"},
        {"code": "x", "group_key": "A", "asset_id": 1, "universe": "books"},
        {"group_key": "A"},
        [],
        "x",
        None,
    ],
    ids=lambda x: str(x)[:40],
)
def test_a_hostile_document_is_kept_or_refused_whole(toy: Toy, document: Any):
    before = toy.snapshot()
    try:
        with toy.connection.transaction():
            toy.upsert([{"code": "good", "group_key": "A"}, document])
    except psycopg.Error as exc:
        assert exc.sqlstate and exc.sqlstate.startswith((*CLEAR, "54")), exc
        assert len(exc.diag.message_primary or "") < 1_000
        assert toy.snapshot() == before


def lowest(toy: Toy) -> int:
    return int(toy.scalar("select min(asset_id) from headgate.assets"))
