"""Requests rendered from rows: all values are encoded, whatever they are (_render.sql, _requests.sql)."""

from __future__ import annotations

from typing import Any, ClassVar
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
    """Change the operation, plan its work, and claim it."""
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


def test_every_field_becomes_its_value(toy: Toy):
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


def test_a_query_of_nothing_but_optional_parameters_is_not_a_query(toy: Toy):
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


def test_the_templates_own_text_stays_unchanged(toy: Toy):
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
def test_dots_in_a_name_are_not_a_way_up(toy: Toy, path: str):
    toy.tune(path=path)


class TestMissing:
    """A field without a value fails the job that lacks it, and no other."""

    def test_a_job_that_lacks_a_value_is_refused_and_the_others_have_their_requests(self, toy: Toy):
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

    def test_a_job_that_lacks_a_value_of_its_body_is_refused_as_well(self, toy: Toy):
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


def body_of(toy: Toy, template: Any, attributes: Row, **more: Any) -> Any:
    """Return the body of one asset's request, parsed as JSON."""
    toy.upsert([{"code": "X", "group_key": "A", "attributes": attributes}])
    chunk = claimed(toy, method="POST", body=template, **more)
    return toy.scalar("select %(body)s::jsonb", body=chunk["bodies"][0])


class TestBodies:
    """A string in a body that is exactly one field becomes its value; in a longer string a field is text."""

    VALUES: ClassVar[Row] = {
        "number": 2103, "part": 0.5, "yes": True, "list": [1, "two", None], "object": {"a": {"b": 1}}, "text": "7",
    }  # fmt: skip

    @pytest.mark.parametrize("name", VALUES)
    def test_a_field_alone_keeps_its_type(self, toy: Toy, name: str):
        body = {"x": f"{{asset.{name}}}", "in": [f"{{asset.{name}?}}"]}

        value = self.VALUES[name]
        assert body_of(toy, body, self.VALUES) == {"x": value, "in": [value]}

    def test_the_whole_body_may_be_one_field(self, toy: Toy):
        assert body_of(toy, '"{asset.object}"', self.VALUES) == {"a": {"b": 1}}

    def test_within_a_longer_string_a_field_is_text(self, toy: Toy):
        body = {
            "x": "{asset.number} of {asset.part}",
            "y": " {asset.number}",
            "z": "{{asset.number}",
        }

        said = body_of(toy, body, self.VALUES)
        assert said == {"x": "2103 of 0.5", "y": " 2103", "z": "{2103"}

    def test_an_asset_s_number_is_a_number_and_its_names_are_strings(self, toy: Toy):
        body = {"id": "{asset.asset_id}", "code": "{asset.code}", "group": "{asset.group_key}"}

        said = body_of(toy, body, {})
        (asset,) = toy.sql("select asset_id from headgate.assets where code = 'X'")
        assert said == {"id": asset["asset_id"], "code": "X", "group": "A"}

    def test_an_attribute_that_is_null_has_no_value(self, toy: Toy):
        assert body_of(toy, {"x": "{asset.mood?}"}, {"mood": None}) == {"x": None}

    def test_a_run_s_parameters_keep_their_types_too(self, toy: Toy):
        toy.tune("open", method="POST", body={"assets": "{param.assets}", "most": "{param.quota}"})
        toy.add(1, "W", "books")
        toy.begin("west", pipeline="library", assets=["W0"], quota=50)

        (body,) = [x["bodies"][0] for x in toy.claim(chunks=5) if x["operation"] == "open"]
        said = toy.scalar("select %(body)s::jsonb", body=body)
        assert said == {"assets": ["W0"], "most": 50}


class TestRun:
    """Fields of a request that refer to its run."""

    PATH = "/{run.id}/{run.pipeline}/{run.date}/{run.logical_date}/{run.started_at}"

    def test_a_run_s_names_and_its_date_are_fields(self, toy: Toy):
        toy.tune(path=self.PATH)
        toy.add(1)
        toy.start(p_logical_date="2024-03-01 21:30-05")
        toy.enqueue()

        (url,) = toy.claim()[0]["urls"]
        assert unquote(url).split("/")[1:] == [
            "r1", "plain", "2024-03-02", "2024-03-02T02:30:00Z", "2024-03-05T12:00:00.000000Z",
        ]  # fmt: skip

    def test_a_run_without_a_logical_date_is_for_the_moment_it_started(self, toy: Toy):
        toy.add(1)
        toy.tune(path="/{run.logical_date}")
        toy.start()
        toy.later(days=1)
        toy.enqueue()

        (url,) = toy.claim()[0]["urls"]
        assert unquote(url) == "/2024-03-05T12:00:00Z"


class TestHeaders:
    """A header with a field is rendered for each job; other headers belong to the call."""

    def test_each_job_has_headers_of_its_own(self, toy: Toy):
        toy.add(2, attributes={"lang": "de"})
        toy.add(1, first=2)

        chunk = claimed(
            toy, headers={"X-Lang": "{asset.lang?}", "X-Run": "{run.id}/{asset.code}", "X-A": "1"}
        )
        assert chunk["headers"] == [
            {"X-Lang": "de", "X-Run": "r1/A0"},
            {"X-Lang": "de", "X-Run": "r1/A1"},
            {"X-Run": "r1/A2"},
        ]
        assert chunk["call"]["headers"] == {"X-A": "1"}

    def test_headers_of_the_provider_are_rendered_unless_the_operation_has_its_own(self, toy: Toy):
        toy.sql(
            """update headgate.providers set headers = '{"X-Run": "{run.id}", "X-B": "{run.date}"}'"""
            " where name = 'shop'"
        )
        toy.add(1)

        chunk = claimed(toy, headers={"X-Run": "fixed"})
        assert chunk["headers"] == [{"X-B": "2024-03-05"}]
        assert chunk["call"]["headers"] == {"X-Run": "fixed"}

    def test_a_field_without_a_value_refuses_its_job(self, toy: Toy):
        toy.add(1, attributes={"lang": "de"})
        (lacking,) = toy.add(1, first=1)

        chunk = claimed(toy, headers={"X-Lang": "{asset.lang}"})
        assert chunk["urls"] == ["/look/A0", None]
        assert chunk["call"]["refused"] == {
            str(lacking): "the template field {asset.lang} has no value for A1"
        }

    @pytest.mark.parametrize("code", ["a\r\nHost: x", "é", "\t", "a\x7fb", "\u202e"])
    def test_a_value_that_a_header_cannot_carry_fails_its_job(self, toy: Toy, code: str):
        (asset,) = toy.add(1, attributes={"lang": code})
        toy.add(1, first=1, attributes={"lang": "de; <x>"})

        chunk = claimed(toy, headers={"X-Lang": "{asset.lang}"})
        assert (chunk["urls"][0], chunk["headers"][1]) == (None, {"X-Lang": "de; <x>"})
        assert chunk["call"]["refused"] == {
            str(
                asset
            ): "the value of header X-Lang for A0 has characters that are not allowed in a header"
        }


class TestJobKey:
    """{job.key} identifies a job to the outside: the same in every delivery of its round, and in no other round."""

    def test_each_job_has_one_key_and_each_place_the_same(self, toy: Toy):
        toy.add(2)

        chunk = claimed(
            toy, method="POST", path="/x/{job.key}", body={"key": "{job.key}"},
            headers={"Idempotency-Key": "{job.key}"},
        )  # fmt: skip
        keys = [x["Idempotency-Key"] for x in chunk["headers"]]
        assert len(set(keys)) == 2 and all(len(x) == 36 for x in keys)
        assert chunk["urls"] == [f"/x/{x}" for x in keys]
        assert [f'"{x}"' in body for x, body in zip(keys, chunk["bodies"], strict=True)] == [
            True
        ] * 2

    def test_a_job_s_key_stays_in_every_delivery(self, toy: Toy):
        toy.add(1)
        first = claimed(toy, headers={"Idempotency-Key": "{job.key}"})
        toy.expire(first)
        (second,) = toy.claim("w2")
        toy.complete(second, "retry", fault="provider", runner="w2")
        toy.later(minutes=1)
        (third,) = toy.claim()

        assert first["headers"] == second["headers"] == third["headers"] != [None]

    def test_another_round_and_another_run_have_other_keys(self, toy: Toy):
        toy.add(1)
        keys = [claimed(toy, headers={"Idempotency-Key": "{job.key}"})["headers"][0]]
        toy.expire(*toy.chunks("leased"))
        toy.drain(outcome="failed")
        toy.enqueue(p_attempt=2)
        (chunk,) = toy.claim()
        keys.append(chunk["headers"][0])
        toy.complete(chunk, "failed")
        toy.finish()
        toy.begin(run="r2")
        keys.append(toy.claim()[0]["headers"][0])

        assert len({x["Idempotency-Key"] for x in keys}) == 3
