"""put_operation(..., body => 'schema.function'): one call writes a chunk's bodies when it is claimed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.adopt import adopt
from tests.db.declare.conftest import OPERATION, PIPELINE, PROVIDER, STEP, Shelf
from tests.db.toy import Toy
from tests.plan import Row

HEAD = (
    "create or replace function toy.bodies(p_context jsonb, p_asset_ids bigint[])"
    " returns table (asset_id bigint, body jsonb) language {language} {volatility} security definer"
    " set search_path = pg_catalog, pg_temp as $func$ {code} $func$"
)
EACH = "select u.asset_id, {} from unnest(p_asset_ids) as u (asset_id)"


@pytest.fixture
def shelf(toy: Toy) -> Shelf:
    return Shelf(toy)


def write(toy: Toy, code: str, language: str = "sql", volatility: str = "stable") -> None:
    """Let this function write the bodies of the operation `look`."""
    toy.sql(HEAD.format(code=code, language=language, volatility=volatility))
    toy.tune(method="POST", body_function="toy.bodies")
    adopt(toy.connection, "toy")


def claimed(toy: Toy, count: int = 3, **params: Any) -> Row:
    toy.add(count)
    toy.begin(**params)
    (chunk,) = toy.claim()
    return chunk


def test_each_request_gets_the_body_of_its_asset(toy: Toy):
    write(toy, EACH.format("jsonb_build_object('id', u.asset_id)") + " order by 1 desc")
    chunk = claimed(toy)

    assert [json.loads(x) for x in chunk["bodies"]] == [{"id": x} for x in chunk["asset_ids"]]
    assert chunk["urls"] == ["/look/A0", "/look/A1", "/look/A2"]


def test_a_body_function_is_called_once_for_a_chunk(toy: Toy):
    write(toy, EACH.format("to_jsonb(cardinality(p_asset_ids))"))

    assert claimed(toy, 10)["bodies"] == ["10"] * 10


def test_a_body_function_knows_its_run(toy: Toy):
    write(toy, EACH.format("p_context"))
    (body,) = [json.loads(x) for x in claimed(toy, 1)["bodies"]]

    assert body.pop("run")["date"] == "2024-03-05"
    assert body.pop("now").startswith("2024-03-05T12:00:00")
    assert body == {
        "pipeline": "plain", "run_id": "r1", "step": "a", "operation": "look", "group_key": "A",
        "params": {},
    }  # fmt: skip


def test_a_second_delivery_says_the_same(toy: Toy):
    write(toy, EACH.format("p_context"))
    first = claimed(toy, 1)
    toy.call("lose_lease", p_runner="w1", p_chunk_id=first["chunk_id"], p_lease_no=1, p_reason="x")
    toy.later(minutes=3)
    (second,) = toy.claim("w2")

    assert second["lease_no"] == 2
    assert second["bodies"] == first["bodies"]


def test_an_asset_without_a_body_or_with_two_is_refused_alone(toy: Toy):
    write(
        toy,
        "select p_asset_ids[1], '1'::jsonb union all select p_asset_ids[2], '2'"
        " union all select p_asset_ids[2], '3' union all select p_asset_ids[3], null"
        " union all select 0, '4'",
    )
    chunk = claimed(toy)

    assert chunk["bodies"] == ["1", None, None]
    assert chunk["urls"] == ["/look/A0", None, None]
    _, second, third = chunk["asset_ids"]
    assert chunk["call"]["refused"] == {
        str(second): "toy.bodies wrote 2 bodies for A1",
        str(third): "toy.bodies wrote no body for A2",
    }
    assert "fault" not in chunk["call"]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("begin raise exception 'no more ink'; end", "no more ink"),
        ("begin return query select 1::bigint, to_jsonb(1 / 0); end", "division by zero"),
        ("begin return query select * from toy.gone; end", 'relation "toy.gone" does not exist'),
        ("begin delete from toy.answers; end", "DELETE is not allowed in a non-volatile function"),
        ("begin return query select * from headgate.chunks; end", "permission denied"),
    ],
)
def test_a_body_function_that_raises_fails_no_claim_and_says_why(toy: Toy, code: str, said: str):
    write(toy, code, "plpgsql")
    chunk = claimed(toy)

    assert chunk["urls"] == [None, None, None]
    assert chunk["call"]["fault"].startswith("body function toy.bodies: ")
    assert said in chunk["call"]["fault"]


def test_jobs_without_a_body_are_deferred_by_an_internal_fault_and_due_again(toy: Toy):
    write(toy, "begin raise exception 'no more ink'; end", "plpgsql")
    chunk = claimed(toy)
    toy.complete(chunk, "deferred", requests=0, p_charged=[0] * 3)

    assert toy.endings() == {"deferred": 3}
    assert all(x["reason"].startswith("internal: ") for x in toy.details())
    assert toy.units() == (0, 0)
    breaker = toy.breaker()
    assert (breaker["failures"], breaker["auth_failures"]) == (0, 0)
    write(toy, EACH.format("'1'::jsonb"))
    toy.finish()
    toy.begin(run="r2")
    assert toy.claim()[0]["bodies"] == ["1"] * 3


def test_a_function_of_nobody_s_is_not_called(toy: Toy):
    write(toy, EACH.format("'1'::jsonb"))
    toy.sql("alter function toy.bodies(jsonb, bigint[]) security invoker")

    assert "is not called: it is not security definer" in claimed(toy)["call"]["fault"]


def test_a_request_is_previewed_with_the_body_of_its_function(toy: Toy):
    write(toy, EACH.format("jsonb_build_object('id', u.asset_id)"))
    (asset,) = toy.add(1)
    row = toy.row("preview_request", p_operation="look", p_asset_id=asset)

    assert json.loads(row["body"]) == {"id": asset}
    write(toy, "begin raise exception 'no more ink'; end", "plpgsql")
    row = toy.row("preview_request", p_operation="look", p_asset_id=asset)
    assert (row["url"], row["request_error"]) == (None, "body function toy.bodies: no more ink")


# -------------------------------------------------------------------- declared


def declared(body: str) -> tuple[str, ...]:
    operation = OPERATION.replace("GET /dust", "POST /dust")[:-1] + f", body => '{body}')"
    return (PROVIDER, operation, PIPELINE, STEP)


def test_a_body_is_json_or_a_function(shelf: Shelf):
    write(shelf.toy, EACH.format("'1'::jsonb"))
    shelf.put(*declared("toy.bodies"))
    row = shelf.row("operations", "dust")
    assert (row["body"], row["body_function"]) == (None, "toy.bodies")

    answers = shelf.put(*declared('{"a": "{asset.code}"}'))
    row = shelf.row("operations", "dust")
    assert answers[1] == "changed: body, body_function"
    assert (row["body"], row["body_function"]) == ({"a": "{asset.code}"}, None)


def test_a_body_that_is_neither_json_nor_a_function_is_a_mistake(shelf: Shelf):
    said = shelf.mistakes(*declared("{a: 1}"))
    assert "operation dust: its body is neither JSON nor the name of a function" in said


@pytest.mark.parametrize(
    ("arguments", "result", "kind", "said"),
    [
        (
            "p_context jsonb",
            "table (asset_id bigint, body jsonb)",
            "stable",
            "there is toy.odd(jsonb)",
        ),
        (
            "c jsonb, i bigint[]",
            "table (asset_id bigint, body text)",
            "stable",
            "must return TABLE(",
        ),
        (
            "c jsonb, i bigint[]",
            "jsonb",
            "stable",
            "must return TABLE(asset_id bigint, body jsonb)",
        ),
        ("c jsonb, i bigint[]", "table (asset_id bigint, body jsonb)", "volatile", "be stable"),
    ],
)
def test_a_wrong_signature_names_the_one_that_is_expected(
    shelf: Shelf, arguments: str, result: str, kind: str, said: str
):
    end = "return null" if result == "jsonb" else "return"
    shelf.toy.sql(
        f"create function toy.odd({arguments}) returns {result} language plpgsql {kind}"
        f" security definer set search_path = pg_catalog, pg_temp as 'begin {end}; end'"
    )
    shelf.toy.sql("update headgate.operations set body_function = 'toy.odd' where name = 'look'")
    adopt(shelf.toy.connection, "toy")
    shelf.toy.sql("update headgate.operations set body_function = null where name = 'look'")

    found = shelf.mistakes(*declared("toy.odd"))
    assert (
        "operation dust: no function toy.odd(jsonb, bigint[]) with the required signature" in found
    )
    assert said in found


def test_a_function_that_is_not_there_is_a_mistake(shelf: Shelf):
    found = shelf.mistakes(*declared("toy.gone"))
    assert "no function toy.gone(jsonb, bigint[])" in found
    assert "it does not exist" in found


def test_a_body_function_writes_bodies_of_requests_for_one_asset(shelf: Shelf):
    said = shelf.mistakes(
        "put_operation('sum_up', 'tomes', due => 'every 1 day', ingest_function => 'toy.keep',"
        " body => 'toy.bodies')",
        "put_pipeline('shelves')",
        "put_step('shelves', 'all', operations => '{sum_up}')",
    )
    assert "a body function writes requests for one asset" in said
