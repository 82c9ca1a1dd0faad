"""Running a step and all later steps again."""

from __future__ import annotations

import pytest

from tests.db.conftest import Toys
from tests.db.executions.graph import graph, mark, retry, start, status, step, steps, work
from tests.db.together import at_once, close
from tests.db.toy import Toy


def rerun(toy: Toy, name: str = "y") -> int:
    """Rerun a step of r1; return the number of steps reset."""
    return int(toy.value("rerun_step", p_pipeline="graph", p_run_id="r1", p_step=name))


def ended(toy: Toy, *failing: str) -> None:
    """Let a run of four steps end; w is parallel to the others."""
    graph(
        toy,
        w={"operations": ["look"], "group_keys": ["D"]},
        x={"operations": ["look"], "group_keys": ["A"]},
        y={"operations": ["look"], "group_keys": ["B"], "depends_on": ["x"]},
        z={"function": "well", "depends_on": ["y"]},
        report={"function": "well", "depends_on": ["z"], "trigger_rule": "all_done"},
    )
    for group in "ABD":
        toy.add(2, group)
    start(toy)
    work(toy, *failing)


def rounds(toy: Toy) -> dict[str, int]:
    """Return each step's round."""
    rows = toy.sql("select step, round from headgate.v_execution_steps where pipeline = 'graph'")
    return {x["step"]: x["round"] for x in rows}


def test_the_step_and_all_later_ones_run_again_and_nothing_else(toy: Toy):
    ended(toy)

    assert rerun(toy) == 3
    assert status(toy) == "running"
    assert work(toy) == ["y"]
    assert rounds(toy) == {"w": 1, "x": 1, "y": 2, "z": 2, "report": 2}
    assert (set(steps(toy).values()), status(toy)) == ({"succeeded"}, "succeeded")


def test_a_round_has_all_of_its_jobs_and_counts_each_once(toy: Toy):
    ended(toy)
    before = toy.units()[1]
    rerun(toy)
    toy.advance()
    assert step(toy, "y")["succeeded"] == 0
    work(toy)

    row = step(toy, "y")
    assert (row["planned"], row["succeeded"]) == (2, 2)
    assert toy.units() == (0, before + 2)
    assert toy.execution("r1", "graph")["succeeded"] == 6


def test_fan_outs_after_it_run_in_their_turn(toy: Toy):
    ended(toy)

    assert rerun(toy, "x") == 4
    assert work(toy) == ["x", "y"]
    assert rounds(toy) == {"w": 1, "x": 2, "y": 2, "z": 2, "report": 2}


def test_a_step_that_fails_when_it_is_run_again_fails_the_run(toy: Toy):
    ended(toy)
    rerun(toy, "x")

    assert work(toy, "x") == ["x"]
    assert steps(toy) == {
        "w": "succeeded", "x": "failed", "y": "skipped", "z": "skipped", "report": "succeeded",
    }  # fmt: skip
    assert status(toy) == "failed"
    retry(toy)
    assert work(toy) == ["x", "y"]
    assert status(toy) == "succeeded"


def test_a_failed_run_starts_again_at_the_failed_step(toy: Toy):
    ended(toy, "y")
    assert status(toy) == "failed"

    assert rerun(toy) == 3
    work(toy)
    assert (set(steps(toy).values()), status(toy)) == ({"succeeded"}, "succeeded")


def test_a_cancelled_run_continues_from_there(toy: Toy):
    ended(toy, "y")
    retry(toy)
    toy.call("cancel_execution", p_pipeline="graph", p_run_id="r1")
    assert status(toy) == "cancelled"

    rerun(toy, "x")
    work(toy)
    assert (set(steps(toy).values()), status(toy)) == ({"succeeded"}, "succeeded")


def test_operators_decisions_on_later_steps_stay_but_not_on_the_named_step(toy: Toy):
    ended(toy, "x")
    mark(toy, "x", "succeeded")
    mark(toy, "z", "skipped")
    work(toy)

    assert rerun(toy, "x") == 3
    work(toy)
    assert (steps(toy)["x"], steps(toy)["z"]) == ("succeeded", "skipped")
    assert rounds(toy)["x"] == 2


def test_asking_twice_is_asking_once_until_the_step_has_run(toy: Toy):
    ended(toy)
    rerun(toy)
    with toy.unchanged():
        assert rerun(toy) == 0

    toy.advance()
    with toy.refused("HG008", "step y of run 'r1' is at work"):
        rerun(toy)
    with toy.refused("HG008", "step y of run 'r1' is at work"):
        rerun(toy, "x")
    work(toy)
    assert rounds(toy)["y"] == 2


@pytest.mark.parametrize("how", ["cancel_execution", "finalize_execution"])
def test_a_rerun_that_is_ended_before_its_turn_leaves_nothing_to_do(toy: Toy, how: str):
    ended(toy)
    rerun(toy)
    toy.call(how, p_pipeline="graph", p_run_id="r1")

    assert toy.chunks() == []
    assert toy.scalar("select count(*) from headgate.process_steps where is_rerun") == 0
    with toy.unchanged():
        toy.advance()


def test_airflow_runs_its_own_steps_again(toy: Toy):
    graph(toy, y={"operations": ["look"]})
    start(toy, driver="airflow")

    with toy.refused("HG008", "Airflow's", "clear its tasks"):
        rerun(toy)
    with toy.refused("HG003"):
        rerun(toy, "nope")
    toy.finish(pipeline="graph")


def test_two_operators_at_once_reopen_a_step_once(toys: Toys):
    one, two = toys.one, toys.another()
    ended(one)

    assert sorted(at_once(lambda: rerun(one), lambda: rerun(two))) == [0, 3]
    assert work(one) == ["y"]
    assert rounds(one)["y"] == 2


def test_an_operator_killed_while_he_does_so_has_changed_nothing(toys: Toys):
    one, killed = toys.one, toys.another(autocommit=False)
    ended(one)
    with one.unchanged():
        assert rerun(killed) == 3
        close(killed, one)


def test_a_rerun_is_recorded(toy: Toy):
    ended(toy)
    rerun(toy)

    rows = toy.sql("select action, changed from headgate.operator_actions")
    assert {"action": "rerun_step", "changed": {"reopened": 3}} in rows
    work(toy)


def test_a_step_beyond_the_budget_fails_and_says_so(toy: Toy):
    ended(toy)
    toy.provider(quota=6)
    rerun(toy)
    work(toy)

    assert (steps(toy)["y"], status(toy)) == ("failed", "failed")
    assert step(toy, "y")["output"]["error"] == (
        "step y cannot be run again: none of its jobs can be planned"
    )
