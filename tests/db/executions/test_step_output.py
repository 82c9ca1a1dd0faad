"""Outputs of steps for later steps: function results or jobs' outputs, by step_output and in the run document."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.db.executions import graph as g
from tests.db.executions.test_step_result import result
from tests.db.toy import Toy
from tests.plan import Row

OUTPUTS = {"status": "$.status", "total": "$.body.total", "code": "$.asset.code"}


def output(toy: Toy, step: str = "y", run: str = "r1", pipeline: str = "graph") -> Any:
    """Return a step's output."""
    return toy.scalar(
        "select headgate.step_output(%(pipeline)s, %(run)s, %(step)s)",
        pipeline=pipeline, run=run, step=step,
    )  # fmt: skip


def begin(toy: Toy, count: int = 1, outputs: dict[str, str] | None = None) -> list[Row]:
    """Start a run of a function step and, after it, a fan-out with outputs; return its chunks."""
    toy.add(count)
    toy.tune("look", outputs=outputs or OUTPUTS, chunk_size=1000)
    g.graph(toy, x={"function": "well"}, y={"operations": ["look"], "depends_on": ["x"]})
    g.start(toy)
    return toy.claim()


def answer(toy: Toy, chunk: Row, says: Any, status: int = 200, **more: Any) -> None:
    """Complete a chunk with this answer, the same for each job."""
    asset_ids: list[int] = more.get("assets") or chunk["asset_ids"]
    toy.complete(
        chunk,
        says=says,
        p_answers=[json.dumps({"status": status, "headers": {}})] * len(asset_ids),
        **more,
    )


def test_the_output_of_a_function_step_is_what_it_returned(toy: Toy):
    g.graph(toy, x={"function": "well"})
    g.start(toy)
    g.work(toy)

    assert output(toy, "x") == {"run": "r1"}


@pytest.mark.parametrize("driver", ["headgate", "airflow"])
def test_one_row_of_one_jsonb_column_is_that_value(toy: Toy, driver: str):
    shape = """table (report jsonb) language sql as $$ select '{"total": 7}'::jsonb $$"""

    assert result(toy, shape, driver) == ("succeeded", {"total": 7})


@pytest.mark.parametrize(
    ("value", "kept"),
    [(7, 7), ("a", "a"), ({"b": [1]}, {"b": [1]}), ([1, {"c": 2}], [1, {"c": 2}]), (None, None), (True, True)],
)  # fmt: skip
def test_a_value_of_an_answer_is_kept_as_it_is(toy: Toy, value: Any, kept: Any):
    (chunk,) = begin(toy)
    answer(toy, chunk, {"total": value})

    assert output(toy) == {"status": 200, "total": kept, "code": "A0"}


def test_values_missing_in_an_answer_are_null(toy: Toy):
    (chunk,) = begin(toy)
    answer(toy, chunk, {})

    assert output(toy) == {"status": 200, "total": None, "code": "A0"}


def test_several_assets_have_their_outputs_by_code(toy: Toy):
    (chunk,) = begin(toy, 2, {"ms": "$.duration_ms"})
    answer(toy, chunk, {})

    assert output(toy) == {"A0": {"ms": 7}, "A1": {"ms": 7}}


def test_one_of_several_assets_has_its_output_by_code_too(toy: Toy):
    (chunk,) = begin(toy, 2, {"ms": "$.duration_ms"})
    answer(toy, chunk, {}, assets=chunk["asset_ids"][:1])

    assert output(toy) == {"A0": {"ms": 7}}


def test_a_failed_job_has_an_output_if_it_was_answered(toy: Toy):
    (chunk,) = begin(toy, 2)
    first, second = chunk["asset_ids"]
    answer(toy, chunk, {}, status=503, outcome="failed", assets=[first])
    toy.complete(chunk, "failed", assets=[second])

    assert output(toy) == {"A0": {"status": 503, "total": None, "code": "A0"}}


def test_a_later_round_puts_its_output_in_place(toy: Toy):
    (chunk,) = begin(toy)
    answer(toy, chunk, {"total": 1}, outcome="failed")
    g.retry(toy)
    (chunk,) = toy.claim()
    answer(toy, chunk, {"total": 2})

    assert output(toy)["total"] == 2


def test_an_output_goes_when_a_later_round_of_its_handler_returns_none(toy: Toy):
    toy.add(2)
    toy.tune("look", path=None, ingest_function=None, units=0, handler="some:handler")
    g.graph(toy, y={"operations": ["look"]})
    g.start(toy)
    (chunk,) = toy.claim()
    toy.complete(chunk, "failed", says={}, requests=0, p_answers=['{"total": 1}'] * 2)
    assert output(toy) == {"A0": {"total": 1}, "A1": {"total": 1}}

    g.retry(toy)
    (chunk,) = toy.claim()
    toy.complete(chunk, says={}, requests=0)

    assert output(toy) is None


def test_a_body_that_is_not_json_is_a_text_and_a_header_is_a_value(toy: Toy):
    (chunk,) = begin(toy, 1, {"body": "$.body", "at": '$.headers."x-at"'})
    toy.tune("look", ingest_function=None)
    toy.call(
        "complete_jobs", p_runner="w1", p_chunk_id=chunk["chunk_id"], p_lease_no=chunk["lease_no"],
        p_asset_ids=chunk["asset_ids"], p_outcomes=["success"], p_payloads=["pong"],
        p_answers=[json.dumps({"status": 200, "headers": {"x-at": "noon"}})],
    )  # fmt: skip

    assert output(toy) == {"body": "pong", "at": "noon"}


def test_a_superseded_token_leaves_no_output(toy: Toy):
    (chunk,) = begin(toy)
    toy.sql("update headgate.chunks set lease_no = lease_no + 1")

    with toy.refused("HG012"), toy.unchanged():
        answer(toy, chunk, {"total": 1})
    assert output(toy) is None


def test_an_output_that_is_too_large_fails_its_job_and_stores_nothing_of_the_answer(toy: Toy):
    (chunk,) = begin(toy)
    answer(toy, chunk, {"total": "x" * 1_048_576})

    assert output(toy) is None
    (job,) = toy.details()
    assert job["status"] == "failed"
    assert job["error"].startswith("its output has 1048")
    assert toy.sql("select from toy.answers") == []
    assert g.steps(toy)["y"] == "failed"


def test_outputs_that_are_too_large_together_fail_the_jobs_that_exceed(toy: Toy):
    (chunk,) = begin(toy, 3)
    answer(toy, chunk, {"total": "x" * 500_000})

    assert toy.endings() == {"success": 2, "failed": 1}
    assert output(toy).keys() == {"A0", "A1"}


def test_no_more_than_a_thousand_assets_have_an_output(toy: Toy):
    g.graph(toy, y={"operations": ["look"]})
    toy.add(1001)
    toy.tune("look", outputs={"ms": "$.duration_ms"}, chunk_size=1000)
    toy.tune("look", units=0)
    g.start(toy)
    while claimed := toy.claim():
        answer(toy, claimed[0], {})

    assert toy.endings() == {"success": 1000, "failed": 1}
    assert len(output(toy)) == 1000


def test_a_function_s_output_that_is_too_large_fails_the_step_and_what_it_wrote_is_undone(toy: Toy):
    body = """
    jsonb language plpgsql as $$ begin
        insert into toy.answers (asset_id, operation, context) values (0, 'red', '{}');
        return to_jsonb(repeat('x', 1048577));
    end $$
    """
    status, said = result(toy, body, "headgate")

    assert (status, said["code"]) == ("failed", "HG023")
    assert "toy.well returned an output of 1048579 bytes" in said["error"]
    assert toy.sql("select from toy.answers") == []


def test_operations_without_outputs_keep_none(toy: Toy):
    toy.add(1)
    toy.begin()
    toy.drain()

    assert toy.sql("select from headgate.job_outputs") == []


def test_an_unknown_step_is_named_with_those_it_may_mean(toy: Toy):
    begin(toy)

    with toy.refused("HG003", "unknown step: 'yy'", "did you mean y"):
        output(toy, "yy")
    with toy.refused("HG002", "'r2'"):
        output(toy, run="r2")


def test_outputs_go_with_their_execution(toy: Toy):
    (chunk,) = begin(toy)
    answer(toy, chunk, {})
    g.work(toy)
    toy.later(days=500)
    toy.call("retain", p_keep="400 days")

    assert toy.sql("select from headgate.job_outputs") == []
