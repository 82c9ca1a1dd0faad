"""Requests made from rows: values are encoded, whatever they are (_render.sql, _requests.sql)."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import psycopg
import pytest

from tests.db.toy import Toy
from tests.plan import Row

HOSTILE = [
    "BRK-B.US", "A B", "a/b", "../../etc/passwd", "..", ".", "...", "a?b=c", "a#b", "a&b=c", "a%2Fb",
    "a+b", "a;b", "a\\b", "a\nb\r\nHost: x", "{asset.code}", "{param.x?}", "é", "日本", "🐟", "'; drop table x; --",
    "<script>", "http://evil.test/", "//evil.test", "@evil.test", ":80", "\t", "a\x7fb", "\u202e", "~_-.",
]  # fmt: skip


def claimed(toy: Toy, **columns: Any) -> Row:
    """Change the operation, plan what is there, and claim it."""
    toy.tune(**columns)
    toy.begin()
    return toy.claim()[0]


@pytest.mark.parametrize("code", HOSTILE)
def test_a_hostile_code_stays_in_its_place(toy: Toy, code: str):
    toy.upsert([{"code": code, "group_key": "A"}])

    chunk = claimed(toy, path="/look/{asset.code}/x", query={"c": "{asset.code}", "a": "1"})
    (url,) = chunk["urls"]
    parts = urlsplit(url)
    assert url.isascii() and url.isprintable() and " " not in url
    assert (parts.scheme, parts.netloc, parts.fragment) == ("", "", "")
    head, look, middle, tail = parts.path.split("/")
    assert (head, look, unquote(middle), tail) == ("", "look", code, "x")
    assert parse_qsl(parts.query, strict_parsing=True) == [("a", "1"), ("c", code)]


@pytest.mark.parametrize("code", HOSTILE)
def test_a_hostile_code_stays_a_string_in_a_body(toy: Toy, code: str):
    toy.upsert([{"code": code, "group_key": "A"}])

    chunk = claimed(
        toy, method="POST", body={"codes": ["{asset.code}", 1, None, {"x": "<{asset.code}>"}]}
    )
    (body,) = chunk["bodies"]
    read = toy.scalar("select %(body)s::jsonb", body=body)
    assert read == {"codes": [code, 1, None, {"x": f"<{code}>"}]}


def test_every_field_there_is(toy: Toy):
    toy.upsert(
        [{"code": "X", "group_key": "A", "calendar": "XTOY", "attributes": {"isin": "US1", "n": 5}}]
    )
    (asset,) = toy.sql("select asset_id from headgate.assets")
    path = (
        "/{asset.code}/{asset.group_key}/{asset.asset_id}/{asset.calendar}/{asset.isin}/{asset.n}"
    )

    assert claimed(toy, path=path)["urls"] == [f"/X/A/{asset['asset_id']}/XTOY/US1/5"]


def test_dates_and_times_are_written_as_requests_want_them(toy: Toy):
    toy.add(1)
    toy.begin()
    toy.drain(says={"watermark": "2024-03-04 00:00:00+00"})
    toy.finish()
    toy.later(days=1)
    toy.tune(query={"from": "{state.watermark}", "since": "{state.succeeded_at}"})
    toy.sql("set local timezone = 'America/New_York'")
    toy.begin(run="r2")

    assert toy.claim()[0]["urls"] == ["/look/A0?from=2024-03-04&since=2024-03-05T12%3A00%3A00Z"]


def test_an_overlap_begins_so_many_sessions_before_the_watermark(toy: Toy):
    for day in (1, 4, 5):
        toy.sql(
            "insert into headgate.trading_sessions (calendar, session, opens_at, closes_at) "
            "values ('XTOY', make_date(2023, 12, %(day)s), make_date(2023, 12, %(day)s), "
            "make_date(2023, 12, %(day)s) + interval '8 hours') on conflict do nothing",
            day=day,
        )
    toy.add(1, calendar="XTOY")
    toy.add(1, first=1)
    toy.begin()
    toy.drain(says={"watermark": "2023-12-05 00:00:00+00"})
    toy.finish()
    toy.later(days=1)
    toy.tune(query={"from": "{state.since?}"}, overlap=3)
    toy.begin(run="r2")

    urls = [url for chunk in toy.claim() for url in chunk["urls"]]
    assert sorted(urls) == ["/look/A0?from=2023-12-01", "/look/A1?from=2023-12-02"]


def test_an_optional_parameter_without_a_value_is_left_out(toy: Toy):
    toy.add(1)

    chunk = claimed(toy, query={"from": "{state.watermark?}", "fmt": "json"})
    assert chunk["urls"] == ["/look/A0?fmt=json"]


def test_a_query_of_nothing_but_optional_parameters_is_no_query(toy: Toy):
    toy.add(1)

    assert claimed(toy, query={"from": "{state.watermark?}"})["urls"] == ["/look/A0"]


def test_a_run_s_parameters_are_fields(toy: Toy):
    toy.add(1, "W", "books")
    toy.begin("west", pipeline="library", lang="de & fr")

    urls = {x["operation"]: x["urls"] for x in toy.claim(chunks=5)}
    assert urls["open"] == ["/open/W0?lang=de%20%26%20fr"]


def test_names_of_query_parameters_are_encoded_too(toy: Toy):
    toy.add(1)

    assert claimed(toy, query={"a b&c": "1"})["urls"] == ["/look/A0?a%20b%26c=1"]


def test_what_the_template_itself_says_stays(toy: Toy):
    toy.add(1)

    assert claimed(toy, path="/x/%20y/{asset.code}.json")["urls"] == ["/x/%20y/A0.json"]


@pytest.mark.parametrize(
    "path", ["/a/../b", "/..", "/./{asset.code}", "/a/%2e%2E/b", "/a%2f..", "/a\\..\\b"]
)
def test_a_template_does_not_lead_up_its_path(toy: Toy, path: str):
    refused = pytest.raises(psycopg.errors.CheckViolation, match="path_has_no_dot_segments")
    with refused, toy.connection.transaction():
        toy.tune(path=path)


@pytest.mark.parametrize(
    "path", ["/a/.../b", "/a..b", "/.well-known/{asset.code}", "/{asset.code}.json"]
)
def test_dots_in_a_name_are_no_way_up(toy: Toy, path: str):
    toy.tune(path=path)


class TestMissing:
    """A field without a value harms the job that lacks it, and no other."""

    def test_that_job_is_refused_and_the_others_have_their_requests(self, toy: Toy):
        toy.add(1, attributes={"isin": "US1"})
        (lacking,) = toy.add(1, first=1)

        chunk = claimed(toy, path="/x/{asset.isin}")
        assert chunk["urls"] == ["/x/US1", None]
        assert chunk["assets"] == ["A0", "A1"]
        assert chunk["call"]["refused"] == {
            str(lacking): "the template field {asset.isin} has no value for A1"
        }

    @pytest.mark.parametrize(
        ("path", "isin", "is_asked"),
        [
            ("/x/{asset.isin}", "", False),
            ("/x/{asset.isin}/y", "", False),
            ("/x/{asset.isin}{asset.isin}/y", "", False),
            ("/{asset.isin}", "", False),
            ("/x/a{asset.isin}/y", "", True),
            ("/x//y/", "", True),
            ("/x//{asset.isin}/", "US1", True),
            ("/x/{asset.isin}", " ", True),
            ("/x/{asset.isin}", "/", True),
        ],
    )
    def test_an_empty_value_leaves_no_segment_out(self, toy: Toy, path, isin, is_asked):
        (asset,) = toy.add(1, attributes={"isin": isin})

        chunk = claimed(toy, path=path)
        assert (chunk["urls"][0] is not None) is is_asked
        if not is_asked:
            refused = {str(asset): "a segment of its path is empty for A0"}
            assert chunk["call"]["refused"] == refused

    def test_in_the_body_as_well(self, toy: Toy):
        toy.add(1)

        chunk = claimed(toy, method="POST", body={"m": "{asset.mood}"})
        assert (chunk["urls"], chunk["bodies"]) == ([None], [None])
        assert len(chunk["call"]["refused"]) == 1

    def test_an_optional_field_of_the_body_is_null(self, toy: Toy):
        toy.add(1)

        chunk = claimed(toy, method="POST", body={"m": "{asset.mood?}", "n": 1})
        assert toy.scalar("select %(b)s::jsonb", b=chunk["bodies"][0]) == {"m": None, "n": 1}

    def test_nothing_is_refused_when_all_have_their_values(self, toy: Toy):
        toy.add(2)

        assert "refused" not in claimed(toy)["call"]
