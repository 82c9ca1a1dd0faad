"""Ingest functions that take headgate.answer[] instead of bodies."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.adopt import adopt
from tests.db.toy import Toy
from tests.plan import Row

TAKE = """
create table toy.taken (
    asset_id bigint, status integer, headers jsonb, body text, duration_ms numeric,
    request_count integer, from_cache boolean
);
create function toy.take(p_context jsonb, p_asset_ids bigint[], p_answers headgate.answer[])
returns setof headgate.ingest_result language plpgsql security definer
set search_path = pg_catalog, pg_temp as $func$
begin
    insert into toy.taken select a.* from unnest(p_answers) as a;
    return query
    select a.asset_id, 'success', 1 / (case a.body when 'bad' then 0 else 1 end), null::timestamptz, null
    from unnest(p_answers) as a;
end;
$func$
"""


@pytest.fixture
def taking(toy: Toy) -> Toy:
    """Let the operation `look` take answers."""
    toy.sql(TAKE)
    toy.tune(ingest_function="toy.take")
    adopt(toy.connection, "toy")
    toy.call("check_plans")
    return toy


def claimed(toy: Toy, count: int) -> Row:
    toy.add(count)
    toy.begin()
    (chunk,) = toy.claim()
    return chunk


def hand_in(toy: Toy, chunk: Row, outcomes: list[str], **columns: Any) -> None:
    many = len(outcomes)
    given: dict[str, Any] = {
        "p_asset_ids": chunk["asset_ids"][:many],
        "p_payloads": [f"body {n}" for n in range(many)],
        "p_request_counts": [2] * many,
        "p_durations_ms": [7] * many,
    }
    toy.call(
        "complete_jobs",
        p_runner="w1",
        p_chunk_id=chunk["chunk_id"],
        p_lease_no=chunk["lease_no"],
        p_outcomes=outcomes,
        **given | columns,
    )


def taken(toy: Toy) -> list[Row]:
    return toy.sql("select * from toy.taken order by asset_id")


def test_an_ingest_function_gets_all_that_is_known_of_each_answer(taking: Toy):
    chunk = claimed(taking, 2)
    assert chunk["call"]["answers"] == "headers"
    heads = [
        {"status": 200, "duration_ms": 12.125, "headers": {"x-at": "noon"}},
        {"status": 201, "duration_ms": 3.5, "headers": {}, "from_cache": True},
    ]
    hand_in(taking, chunk, ["success"] * 2, p_answers=[json.dumps(x) for x in heads])

    first, second = taken(taking)
    assert first == {
        "asset_id": chunk["asset_ids"][0], "status": 200, "headers": {"x-at": "noon"}, "body": "body 0",
        "duration_ms": pytest.approx(12.125), "request_count": 2, "from_cache": False,
    }  # fmt: skip
    assert (second["status"], second["headers"], second["from_cache"]) == (201, {}, True)
    assert taking.endings() == {"success": 2}


def test_a_runner_that_tells_nothing_more_of_an_answer_is_understood(taking: Toy):
    hand_in(taking, claimed(taking, 1), ["success"])

    (answer,) = taken(taking)
    assert (answer["status"], answer["headers"], answer["duration_ms"]) == (None, {}, 7)


def test_an_ingest_function_gets_good_answers_alone(taking: Toy):
    hand_in(taking, claimed(taking, 4), ["failed", "success", "skipped", "success"])

    assert [x["body"] for x in taken(taking)] == ["body 1", "body 3"]
    assert taking.endings() == {"success": 2, "failed": 1, "skipped": 1}


def test_an_answer_that_the_function_cannot_take_fails_its_job_alone(taking: Toy):
    chunk = claimed(taking, 3)
    hand_in(taking, chunk, ["success"] * 3, p_payloads=["a", "bad", "c"])

    assert taking.endings() == {"success": 2, "failed": 1}
    assert [x["body"] for x in taken(taking)] == ["a", "c"]
    assert [x["error"] for x in taking.details(chunk["asset_ids"][1])] == ["division by zero"]


def test_work_without_a_call_takes_answers_without_content(taking: Toy):
    taking.tune(path=None, units=0)
    chunk = claimed(taking, 1)
    hand_in(taking, chunk, ["success"], p_payloads=[None], p_request_counts=[0])

    (answer,) = taken(taking)
    assert (answer["body"], answer["request_count"]) == (None, 0)


def test_a_function_that_takes_bodies_again_gets_them(taking: Toy):
    taking.tune(ingest_function="toy.keep")
    taking.call("check_plans")
    chunk = claimed(taking, 1)
    hand_in(taking, chunk, ["success"], p_payloads=['"text"'])

    assert "answers" not in chunk["call"]
    assert taking.scalar("select payload from toy.answers") == '"text"'


def test_an_answer_is_tried_with_the_ingest_function(taking: Toy):
    (asset,) = taking.add(1)
    row = taking.row("try_answer", p_operation="look", p_asset_id=asset, p_answer="body")

    assert (row["status"], row["records"]) == ("success", 1)
    assert taken(taking) == []


@pytest.mark.parametrize("arguments", ["p_answers headgate.answer", "p_payloads json[]"])
def test_another_signature_is_a_mistake_that_names_what_there_is(toy: Toy, arguments: str):
    toy.sql(
        f"create function toy.odd(p_context jsonb, p_asset_ids bigint[], {arguments})"
        " returns setof headgate.ingest_result language sql security definer"
        " set search_path = pg_catalog, pg_temp as 'select null::headgate.ingest_result'"
    )
    toy.tune(ingest_function="toy.odd")
    adopt(toy.connection, "toy")

    (mistake,) = toy.sql("select * from headgate._plan_mistakes() where name = 'look'")
    assert mistake["message"] == (
        "operation look: no function toy.odd(jsonb, bigint[], text[]) with the required signature"
    )
    assert mistake["hint"].startswith("there is toy.odd(jsonb, bigint[], ")
    assert "headgate.answer[]" in mistake["hint"]


def test_a_bulk_call_s_function_takes_bodies(taking: Toy):
    (need,) = taking.sql("select operation_id as id from headgate.operations where name = 'open'")
    taking.tune("history", bulk_call_of_operation_id=need["id"], ingest_function="toy.take")

    messages = taking.sql("select message from headgate._plan_mistakes()")
    assert any("no function toy.take(jsonb, bigint[], text[])" in x["message"] for x in messages)
