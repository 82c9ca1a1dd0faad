"""{steps.<step>.<path>}: outputs of earlier steps in paths, queries, headers and bodies."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.adopt import adopt
from tests.db.executions import graph as g
from tests.db.toy import Toy
from tests.plan import Row

RETURNS = """
create or replace function toy.says(p_pipeline text, p_run_id text) returns jsonb language sql
as 'select (jsonb_build_object() || current_setting(''toy.says'')::jsonb)'
"""


def claimed(toy: Toy, said: Any, **columns: Any) -> Row:
    """Let a step `x` have this output, and claim the only job of the next step."""
    toy.add(1)
    toy.sql("delete from headgate.pipeline_steps")  # those of other pipelines name no step x
    toy.tune("look", **columns)
    toy.sql(RETURNS)
    toy.sql("select set_config('toy.says', %(said)s, true)", said=json.dumps(said))
    g.graph(toy, x={"function": "says"}, y={"operations": ["look"], "depends_on": ["x"]})
    adopt(toy.connection, "toy")
    g.start(toy)
    (chunk,) = toy.claim()
    return chunk


def body_of(toy: Toy, said: Any, template: Any) -> Any:
    """Return the body of the following request."""
    chunk = claimed(toy, said, method="POST", body={"v": template})
    assert chunk["call"].get("refused") is None, chunk["call"]
    return json.loads(chunk["bodies"][0])["v"]


@pytest.mark.parametrize("value", [7, 0.25, 'a {b} "c"', {"d": [1]}, [1, "e", None], True, False])
def test_a_string_that_is_one_field_becomes_the_value(toy: Toy, value: Any):
    assert body_of(toy, {"total": value}, "{steps.x.total}") == value


def test_a_field_may_lead_far_into_the_output(toy: Toy):
    assert body_of(toy, {"a": {"b-1": [{"c": 5}]}}, "{steps.x.a.b-1.0.c}") == 5


def test_a_step_s_name_alone_is_its_whole_output(toy: Toy):
    assert body_of(toy, {"deals": 89}, "{steps.x}") == {"deals": 89}


def test_in_a_longer_string_a_field_is_text(toy: Toy):
    assert body_of(toy, {"n": 7}, "{steps.x.n} of {asset.code}") == "7 of A0"


@pytest.mark.parametrize("said", [{"total": None}, {}, None, [1]])
def test_an_optional_field_without_a_value_is_null(toy: Toy, said: Any):
    assert body_of(toy, said, "{steps.x.total?}") is None


@pytest.mark.parametrize("said", [{"total": None}, {}])
@pytest.mark.parametrize(
    "columns",
    [
        {"method": "POST", "body": {"v": "{steps.x.total}"}},
        {"path": "/{steps.x.total}"},
        {"query": {"v": "{steps.x.total}"}},
        {"headers": {"X-Total": "{steps.x.total}"}},
    ],
)
def test_a_value_that_is_missing_fails_the_job_alone(toy: Toy, said: Any, columns: dict[str, Any]):
    chunk = claimed(toy, said, **columns)

    (reason,) = chunk["call"]["refused"].values()
    assert reason == "step x has no output for the template field {steps.x.total}"
    assert chunk["urls"] == [None]


def test_a_field_is_filled_into_path_query_and_headers(toy: Toy):
    chunk = claimed(
        toy, {"id": "a/b", "n": 3},
        path="/look/{steps.x.id}", query={"n": "{steps.x.n}"}, headers={"X-N": "{steps.x.n}"},
    )  # fmt: skip

    assert chunk["urls"] == ["/look/a%2Fb?n=3"]
    assert chunk["headers"] == [{"X-N": "3"}]


def test_a_fan_out_s_outputs_are_read_by_asset(toy: Toy):
    toy.sql("delete from headgate.pipeline_steps")
    toy.add(2, "A")
    toy.add(1, "B", universe="others")
    toy.tune("look", outputs={"status": "$.status"})
    toy.tune("peek", method="POST", body={"one": "{steps.x.A1.status}", "all": "{steps.x}"})
    g.graph(toy, x={"operations": ["look"]}, y={"operations": ["peek"], "depends_on": ["x"]})
    g.start(toy)
    (chunk,) = toy.claim()
    toy.complete(chunk, p_answers=['{"status": 200}', '{"status": 201}'])
    (chunk,) = toy.claim()

    assert json.loads(chunk["bodies"][0]) == {
        "one": 201, "all": {"A0": {"status": 200}, "A1": {"status": 201}},
    }  # fmt: skip


def test_every_delivery_of_a_job_says_the_same(toy: Toy):
    first = claimed(
        toy,
        {"n": 1},
        method="POST",
        body={"n": "{steps.x.n}", "now": "{run.now}", "k": "{job.key}"},
    )
    toy.later(seconds=90)
    toy.call("release_jobs", p_runner="w1", p_chunk_ids=[first["chunk_id"]], p_lease_nos=[1])
    (second,) = toy.claim()

    assert (first["lease_no"], second["lease_no"]) == (1, 2)
    assert second["bodies"] == first["bodies"]
    assert json.loads(first["bodies"][0])["now"] == "2024-03-05T12:00:00Z"


def test_the_stamp_of_a_run_names_what_it_makes(toy: Toy):
    chunk = claimed(toy, {}, path="/report_{run.stamp}.json")

    assert chunk["urls"] == ["/report_20240305_120000.json"]


def test_a_request_that_names_no_step_reads_no_output(toy: Toy):
    (asset_id,) = toy.add(1)
    toy.sql("alter view headgate._step_outputs rename to gone")
    toy.begin()

    assert toy.claim()[0]["asset_ids"] == [asset_id]


def test_a_preview_shows_what_the_last_run_put_out(toy: Toy):
    chunk = claimed(toy, {"n": 3}, query={"n": "{steps.x.n}"})
    (asset_id,) = chunk["asset_ids"]
    row = toy.row("preview_request", p_operation="look", p_asset_id=asset_id, p_pipeline="graph")

    assert row["url"] == chunk["urls"][0] == "/look/A0?n=3"


def test_a_preview_before_any_run_says_what_is_missing(toy: Toy):
    (asset_id,) = toy.add(1)
    g.graph(toy, x={"function": "well"}, y={"operations": ["look"], "depends_on": ["x"]})
    toy.tune("look", query={"n": "{steps.x.n}"})
    row = toy.row("preview_request", p_operation="look", p_asset_id=asset_id, p_pipeline="graph")

    assert row["request_error"] == "step x has no output for the template field {steps.x.n}"
