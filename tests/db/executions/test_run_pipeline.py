"""A run that Headgate's own runners advance from step to step."""

from __future__ import annotations

from tests.adopt import adopt
from tests.db.toy import Toy


def run(toy: Toy, pipeline: str = "plain", **arguments: object) -> str:
    """Start a pipeline with driver headgate."""
    return str(toy.value("run_pipeline", p_pipeline=pipeline, **arguments))


def statuses(toy: Toy) -> dict[str, str]:
    """Return each step's status."""
    rows = toy.sql("select step, status from headgate.process_steps order by position")
    return {x["step"]: x["status"] for x in rows}


def test_a_run_without_a_name_is_named_by_the_time(toy: Toy):
    assert run(toy) == "manual-2024-03-05T12:00:00.000Z"


def test_a_run_has_the_name_that_is_given(toy: Toy):
    assert run(toy, p_run_id="mine") == "mine"


def test_the_runners_carry_a_run_to_its_end(toy: Toy):
    toy.add(13)
    toy.add(2, "B")
    name = run(toy)

    assert toy.drain() == 15
    assert set(statuses(toy).values()) == {"succeeded"}
    status = toy.execution(name)
    assert (status["status"], status["planned"], status["succeeded"]) == ("succeeded", 15, 15)


def test_the_result_of_a_function_step_is_its_output(toy: Toy):
    toy.add(1)
    run(toy)
    toy.advance()

    output = toy.scalar("select output from headgate.process_steps where step = 'quota'")
    assert (output["operation"], output["planned"]) == ("look", 1)


def test_a_step_that_raises_has_failed_with_what_it_said(toy: Toy):
    toy.sql(
        "create function toy.fall(p_pipeline text, p_run_id text) returns void language plpgsql as"
        " 'begin raise exception ''no ground'' using hint = ''look down''; end';"
        "update headgate.pipeline_steps set function = 'toy.fall' where step = 'quota'"
    )
    adopt(toy.connection, "toy")
    name = run(toy)
    toy.drain()

    assert statuses(toy) == {
        "start": "succeeded", "quota": "failed", "a": "skipped", "b": "skipped", "finish": "succeeded",
    }  # fmt: skip
    output = toy.scalar("select output from headgate.process_steps where step = 'quota'")
    assert output == {"error": "no ground", "code": "P0001", "hint": "look down"}
    assert toy.execution(name)["status"] == "failed"


def test_a_fan_out_that_cannot_be_planned_fails_alone(toy: Toy):
    toy.upsert([{"code": "A.X", "group_key": "W"}], universe="books")
    toy.add(1, "O", "others")
    toy.sql(
        "delete from headgate.pipeline_steps where step = 'quota' and pipeline_id ="
        " (select pipeline_id from headgate.pipelines where name = 'library')"
    )
    name = run(toy, "library", p_params={"assets": ["A"]})
    run(toy, "aside", p_run_id="other")
    toy.upsert([{"code": "A.Y", "group_key": "W"}], universe="books")  # now A is ambiguous

    assert toy.drain() == 1
    assert toy.execution(name, "library")["status"] == "failed"
    output = toy.scalar("select output from headgate.process_steps where step = 'west'")
    assert output["code"] == "HG010"
    assert toy.execution("other", "aside")["status"] == "succeeded"


def test_after_a_failed_step_those_that_need_it_are_skipped(toy: Toy):
    toy.sql("update headgate.pipeline_steps set depends_on = '{a}' where step = 'b'")
    toy.add(2)
    toy.add(2, "B")
    name = run(toy)
    while claimed := toy.claim():
        toy.complete(claimed[0], "failed")

    assert statuses(toy)["b"] == "skipped"
    # its planned work ends with the execution
    assert toy.endings() == {"failed": 2, "deferred": 2}
    assert toy.execution(name)["status"] == "failed"


def test_one_success_of_several_is_enough_where_the_rule_says_so(toy: Toy):
    toy.sql(
        "update headgate.pipeline_steps set depends_on = '{a,b}', trigger_rule = 'one_success',"
        " function = 'headgate.discover_delta' where step = 'finish'"
    )
    toy.add(2)
    toy.add(2, "B")
    name = run(toy)
    while claimed := toy.claim():
        toy.complete(claimed[0], "failed" if claimed[0]["step"] == "a" else "success")

    assert statuses(toy)["finish"] == "succeeded"
    assert toy.execution(name)["status"] == "failed"


def test_a_graph_without_a_finalizing_step_ends_by_itself(toy: Toy):
    toy.add(3, "O", "others")
    name = run(toy, "aside")
    toy.drain()

    assert toy.execution(name, "aside")["status"] == "succeeded"


def test_a_run_of_airflow_s_is_not_advanced(toy: Toy):
    toy.add(1)
    toy.start()

    assert toy.drain() == 0
    assert statuses(toy)["quota"] == "pending"


def test_a_run_with_nothing_to_do_ends(toy: Toy):
    name = run(toy)
    toy.drain()

    assert toy.execution(name)["status"] == "succeeded"
