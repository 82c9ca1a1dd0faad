"""Statements for databases: their declaration, and how a job's fields become parameters and names."""

from __future__ import annotations

import json

import pytest
from psycopg.types.json import Jsonb

from tests.db.declare.conftest import PIPELINE, STEP, Shelf
from tests.db.toy import Toy

PROVIDER = "put_provider('shelf', kind => 'postgres', secret_name => 'SHELF_DSN')"
OPERATION = (
    "put_operation('dust', 'tomes', due => 'every 1 day', provider => 'shelf',"
    " statement => $s${statement}$s$, ingest_function => 'toy.keep'{more})"
)


@pytest.fixture
def shelf(toy: Toy) -> Shelf:
    """Open the toy world without the plan."""
    return Shelf(toy)


def declared(shelf: Shelf, statement: str, more: str = "") -> None:
    shelf.put(PROVIDER, OPERATION.format(statement=statement, more=more), PIPELINE, STEP)


def preview(shelf: Shelf, code: str = "T1", **attributes: str):
    assets = [{"code": code, "group_key": "G", "attributes": attributes}]
    shelf.toy.call("upsert_assets", p_universe="tomes", p_assets=Jsonb(assets))
    asset_id = shelf.toy.scalar(
        "select asset_id from headgate.assets where code = %(code)s and universe = 'tomes'",
        code=code,
    )
    return shelf.toy.row("preview_request", p_operation="dust", p_asset_id=asset_id)


def test_fields_become_parameters_in_their_order(shelf: Shelf):
    declared(shelf, "select {asset.code} as a, {asset.size?}::int as b, {asset.code} as c")
    found = preview(shelf, "it's")

    assert found["url"] == "select $1 as a, $2::int as b, $3 as c"
    assert json.loads(found["body"]) == ["it's", None, "it's"]
    assert found["call"]["kind"] == "postgres"
    assert found["call"]["auth"]["secret"] == "SHELF_DSN"
    assert "base_url" not in found["call"]


def test_an_optional_time_begins_before_all_times(shelf: Shelf):
    declared(shelf, "select 1 where now() >= {state.since?}")

    assert json.loads(preview(shelf)["body"]) == ["-infinity"]


def test_since_begins_earlier_than_the_watermark_by_late_commits(shelf: Shelf):
    declared(shelf, "select {state.since}, {state.watermark}", ", late_commits => '10 minutes'")
    preview(shelf)
    shelf.toy.sql(
        "update headgate.asset_processing_state as s set watermark = '2026-01-02 03:04:05.000006+00'"
        " from headgate.operations as o where o.operation_id = s.operation_id and o.name = 'dust'"
    )

    assert json.loads(preview(shelf)["body"]) == [
        "2026-01-02T02:54:05.000006+00:00",
        "2026-01-02T03:04:05.000006+00:00",
    ]


def test_a_condition_for_new_rows_takes_the_last_snapshot_as_its_parameter(shelf: Shelf):
    declared(shelf, "select {asset.code} as a from o where {new.o} or {new.o.by}")
    found = preview(shelf)
    assert json.loads(found["body"]) == ["T1", "1:1:", "1:1:"]
    assert "o.xmin" in found["url"]
    assert "pg_visible_in_snapshot(o.by, " in found["url"]
    assert found["url"].count("$2::pg_snapshot") == 2
    assert found["call"]["answers"] == "snapshot"

    shelf.toy.sql("update headgate.asset_processing_state set source_snapshot = '7:9:7'")
    assert json.loads(preview(shelf)["body"])[1:] == ["7:9:7", "7:9:7"]


def test_only_a_statement_knows_what_is_new(shelf: Shelf):
    said = shelf.mistakes(
        "put_provider('shelf', 'http://shelf.test')",
        "put_operation('dust', 'tomes', due => 'once', provider => 'shelf', request => 'GET /{new.o}')",
        PIPELINE, STEP,
    )  # fmt: skip
    assert "operation dust: its template names the missing field {new.o}" in said


def test_a_name_is_quoted(shelf: Shelf):
    declared(shelf, "select count(*) from {asset.schema!}.{asset.code!}")

    assert preview(shelf, 'Or"ders', schema="public")["url"] == (
        'select count(*) from "public"."Or""ders"'
    )


@pytest.mark.parametrize("code", ["x" * 64, "a$1"])
def test_values_that_cannot_be_names_are_refused(shelf: Shelf, code: str):
    declared(shelf, "select 1 from {asset.code!}")
    found = preview(shelf, code)

    assert found["url"] is None
    assert found["request_error"] == f"the value of {{asset.code!}} for {code} cannot be a name"


def test_a_field_without_a_value_is_refused(shelf: Shelf):
    declared(shelf, "select 1 from {asset.schema!}.x where y = {asset.code}")

    assert (
        preview(shelf)["request_error"] == "the template field {asset.schema} has no value for T1"
    )


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("delete from x", "statement is one query"),
        ("select 1;", "statement is one query"),
        ("select $1", "statement has no parameters of its own"),
    ],
)
def test_a_statement_that_is_not_a_query_is_a_mistake(shelf: Shelf, statement: str, rule: str):
    said = shelf.mistakes(PROVIDER, OPERATION.format(statement=statement, more=""))

    assert f"operation dust breaks the rule: {rule}" in said


@pytest.mark.parametrize(
    ("provider", "rule"),
    [
        ("put_provider('shelf', kind => 'postgres')", "a database names its dsn"),
        (
            "put_provider('shelf', 'http://x.test', kind => 'postgres', secret_name => 'X')",
            "a database has no base url",
        ),
        ("put_provider('shelf', kind => 'oracle')", "provider kind is known"),
    ],
)
def test_a_statement_without_a_database_is_a_mistake(shelf: Shelf, provider: str, rule: str):
    assert f"provider shelf breaks the rule: {rule}" in shelf.mistakes(provider)


def test_a_statement_is_asked_of_a_database(shelf: Shelf):
    said = shelf.mistakes(
        "put_provider('shelf', 'http://shelf.test')",
        OPERATION.format(statement="select 1", more=""), PIPELINE, STEP,
    )  # fmt: skip

    assert "operation dust has a statement, but its provider is not a database" in said
    assert "kind => 'postgres'" in said


def test_a_request_is_not_made_of_a_database(shelf: Shelf):
    said = shelf.mistakes(
        PROVIDER,
        "put_operation('dust', 'tomes', due => 'once', provider => 'shelf', request => 'GET /x')",
        PIPELINE, STEP,
    )  # fmt: skip

    assert "operation dust has a path, but its provider has no base URL" in said


def test_a_database_has_usual_rules_of_its_own(shelf: Shelf):
    declared(shelf, "select 1 as x")
    rules = "select array_agg(status order by position) from headgate.v_response_rules where provider = 'shelf'"
    found = shelf.toy.scalar(rules)

    assert found[:3] == ["error:timeout", "error:connect", "error:cut"]
    assert found[-2:] == ["sql:ok", "*"]
    assert not any(x[0].isdigit() for x in found)
