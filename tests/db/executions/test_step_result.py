"""The result of a function step is its output, whoever called it; a report may state a failure."""

from __future__ import annotations

from typing import Any, LiteralString

import pytest

from tests.adopt import adopt
from tests.db.executions import graph as g
from tests.db.toy import Toy

SHAPES: dict[str, tuple[LiteralString, Any]] = {
    "one value": ("""jsonb language sql as $$ select '{"health": [1, 2]}'::jsonb $$""", {"health": [1, 2]}),
    "a list as one value": ("jsonb language sql as $$ select '[7]'::jsonb $$", [7]),
    "a number": ("integer language sql as $$ select 42 $$", 42),
    "no value": ("jsonb language sql as $$ select null::jsonb $$", None),
    "nothing": ("void language sql as $$ $$", None),
    "values": ("setof integer language sql as $$ values (1), (2) $$", [1, 2]),
    "one value of a set": ("setof text language sql as $$ values ('a') $$", "a"),
    "one row": ("table (a integer, b text) language sql as $$ select 1, 'x' $$", {"a": 1, "b": "x"}),
    "one row of one column": ("table (a integer) language sql as $$ select 1 $$", {"a": 1}),
    "rows": ("table (a integer) language sql as $$ values (1), (2) $$", [{"a": 1}, {"a": 2}]),
    "no row": ("table (a integer) language sql as $$ select 1 where false $$", None),
    "a row of a type": (
        "headgate.ingest_result language sql as $$ select row(1, 'failed', 2, null, null) $$",
        {"asset_id": 1, "status": "failed", "records": 2, "watermark": None, "reason": None},
    ),
}  # fmt: skip
REPORTS: LiteralString = """
jsonb language plpgsql as $$ begin
    insert into toy.answers (asset_id, operation, context) values (0, 'red', '{}');
    return jsonb_build_object('status', 'failed', 'red', 3);
end $$
"""
CREATE: LiteralString = "create function toy.well (p_pipeline text, p_run_id text) returns "
REPORT: LiteralString = """
select r.* from (
    select jsonb_agg(to_jsonb(t)) as rows from (select * from toy.well('graph', 'r1')) as t
) as w
cross join lateral headgate.report_step(
    p_pipeline => 'graph', p_run_id => 'r1', p_step => 'x', p_status => 'succeeded', p_output => w.rows
) as r
"""


def result(toy: Toy, body: LiteralString, driver: str) -> tuple[str, Any]:
    """Let a function with this result and body be a step; return the step's status and output."""
    g.graph(toy, x={"function": "well"}, y={"function": "badly", "depends_on": ["x"]})
    toy.sql("drop function toy.well(text, text)")
    toy.sql(CREATE + body)
    adopt(toy.connection, "toy")
    g.start(toy, driver=driver)
    if driver == "headgate":
        g.work(toy)
    else:  # as runner/headgate/airflow/call_function.py does
        assert toy.sql(REPORT) == [{"step": "x", "status": g.steps(toy)["x"]}]
    step = g.step(toy, "x")
    return step["status"], step["output"]


@pytest.mark.parametrize("driver", ["headgate", "airflow"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_function_s_result_is_kept_as_it_is(toy: Toy, shape: str, driver: str):
    body, output = SHAPES[shape]

    assert result(toy, body, driver) == ("succeeded", output)


@pytest.mark.parametrize("driver", ["headgate", "airflow"])
def test_a_report_that_says_failed_fails_the_step_and_keeps_what_was_written(toy: Toy, driver: str):
    assert result(toy, REPORTS, driver) == ("failed", {"status": "failed", "red": 3})
    assert toy.scalar("select operation from toy.answers") == "red"


def test_a_function_that_raises_has_its_error_hint_and_detail_as_output(toy: Toy):
    g.graph(toy, x={"function": "badly"})
    g.start(toy)
    g.work(toy)

    assert g.step(toy, "x")["output"] == {
        "error": "no ground", "code": "P0001", "hint": "look down", "detail": "three metres",
    }  # fmt: skip


def test_a_run_s_document_holds_its_date_its_parameters_and_what_its_steps_say(toy: Toy):
    g.graph(toy, x={"function": "well"}, y={"operations": ["look"], "depends_on": ["x"]})
    toy.add(2)
    toy.start("r1", "graph", p_driver="headgate", p_logical_date="2024-03-01 21:30+00")
    g.work(toy)

    (row,) = toy.sql("select * from headgate.v_run_documents")
    document = row["document"]
    assert document["run"] == row["run"] | {"now": "2024-03-05T12:00:00Z"}
    assert row["run"] == {
        "id": "r1", "pipeline": "graph", "logical_date": "2024-03-01T21:30:00Z",
        "date": "2024-03-01", "stamp": "20240305_120000", "started_at": "2024-03-05T12:00:00.000000Z",
    }  # fmt: skip
    assert document["params"] == {}
    assert document["steps"]["x"]["output"] == {"run": "r1"}
    y = document["steps"]["y"]
    assert (y["status"], y["counts"]["planned"], y["counts"]["succeeded"]) == ("succeeded", 2, 2)
