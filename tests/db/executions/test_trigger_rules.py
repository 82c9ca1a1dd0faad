"""Which steps run after a step, by their trigger rule and its end."""

from __future__ import annotations

from typing import Any

import pytest

from tests.db.executions.graph import graph, mark, start, status, step, steps, work
from tests.db.toy import Toy

ENDS: dict[str, dict[str, dict[str, Any]]] = {
    "succeeded": {"x": {"function": "well"}},
    "failed": {"x": {"function": "badly"}},
    "failed, tolerated": {"x": {"function": "badly", "may_fail": True}},
    "skipped by its rule": {"w": {"function": "badly"}, "x": {"function": "well", "depends_on": ["w"]}},
    "skipped by an operator": {"x": {"function": "badly"}},
    "marked as succeeded": {"x": {"function": "badly"}},
}  # fmt: skip
PASSED = {"succeeded", "skipped by an operator", "marked as succeeded"}


def run(toy: Toy, end: str, rule: str, other: str | None = None) -> str:
    """End a step this way, beside another that succeeds or fails; return the status of the step after both."""
    depends_on = ["x", "y"] if other else ["x"]
    beside = {"y": {"function": other}} if other else {}
    behind = {"function": "well", "depends_on": depends_on, "trigger_rule": rule}
    graph(toy, **ENDS[end], **beside, z=behind)
    start(toy)
    if end == "skipped by an operator":
        mark(toy, "x", "skipped")
    elif end == "marked as succeeded":
        mark(toy, "x", "succeeded")
    work(toy)
    return steps(toy)["z"]


@pytest.mark.parametrize("end", ENDS)
def test_all_success_wants_it_to_have_passed(toy: Toy, end: str):
    assert run(toy, end, "all_success") == ("succeeded" if end in PASSED else "skipped")


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("other", ["well", "badly"])
def test_all_success_wants_all_of_them_to_have_passed(toy: Toy, end: str, other: str):
    passes = end in PASSED and other == "well"
    assert run(toy, end, "all_success", other) == ("succeeded" if passes else "skipped")


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("other", ["well", "badly"])
def test_all_done_runs_after_any_result(toy: Toy, end: str, other: str):
    assert run(toy, end, "all_done", other) == "succeeded"


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("other", ["well", "badly"])
def test_one_success_wants_one_of_them_to_have_passed(toy: Toy, end: str, other: str):
    passes = end in PASSED or other == "well"
    assert run(toy, end, "one_success", other) == ("succeeded" if passes else "skipped")


@pytest.mark.parametrize("end", ENDS)
def test_a_step_says_why_it_was_skipped(toy: Toy, end: str):
    run(toy, end, "all_success")

    said = {"skipped by its rule": "upstream_failed", "skipped by an operator": "operator"}
    assert step(toy, "x")["skip_reason"] == said.get(end)
    assert step(toy, "z")["skip_reason"] == (None if end in PASSED else "upstream_failed")


def test_jobs_planned_for_a_skipped_step_stay_due_and_return_their_units(toy: Toy):
    toy.sql("update headgate.pipeline_steps set depends_on = '{a}' where step = 'b'")
    (asset,) = toy.add(1)
    toy.add(3, "B")
    toy.call("run_pipeline", p_pipeline="plain", p_run_id="r1")
    (chunk,) = toy.claim()
    assert toy.units() == (3, 1)
    toy.complete(chunk, "failed", [asset])
    toy.advance()

    assert toy.step("b")["status"] == "skipped"
    assert (toy.units(), toy.chunks()) == ((0, 1), [])
    toy.drain()


# Airflow's table, for any number of upstream steps: which of the four states occur among them, and the result for the
# step: R runs, S skipped, U upstream_failed.
STATES = {"s": "succeeded", "f": "failed", "u": "upstream_failed", "k": "skipped"}
RULES = (
    "all_success", "all_done", "one_success", "one_failed", "all_failed", "none_failed", "none_failed_min_one_success",
)  # fmt: skip
TABLE = {
    "s":    "RRRSSRR",
    "f":    "URURRUU",
    "u":    "URURRUU",
    "k":    "SRSSSRS",
    "sf":   "URRRSUU",
    "su":   "URRRSUU",
    "sk":   "SRRSSRR",
    "fu":   "URURRUU",
    "fk":   "URURSUU",
    "uk":   "URURSUU",
    "sfu":  "URRRSUU",
    "sfk":  "URRRSUU",
    "suk":  "URRRSUU",
    "fuk":  "URURSUU",
    "sfuk": "URRRSUU",
}  # fmt: skip
BECOMES = {("succeeded", None): "R", ("skipped", "rule"): "S", ("skipped", "upstream_failed"): "U"}


def test_each_rule_decides_as_airflow_s_does(toy: Toy):
    before: dict[str, dict[str, Any]] = {
        "s": {"function": "well"},
        "f": {"function": "badly"},
        "u": {"function": "well", "depends_on": ["f"]},
        "k": {"function": "well", "condition": '$.run.id == "no"'},
        "k2": {"function": "well", "depends_on": ["k"]},
        "u2": {"function": "well", "depends_on": ["u"]},
    }
    behind = {
        f"{rule}-{found}-{more}": {
            "function": "well",
            "trigger_rule": rule,
            "depends_on": [*found, *(x + "2" for x in found if more and x in "uk")],
        }
        for rule in RULES
        for found in TABLE
        for more in (0, 1)
    }
    toy.sql("discard plans")  # those for the few steps of other tests take five times as long here
    graph(toy, **before, **behind)
    start(toy)
    while toy.value("advance_executions"):
        pass

    rows = toy.sql(
        "select step, status, skip_reason from headgate.v_execution_steps where pipeline = 'graph'"
    )
    became = {x["step"]: BECOMES.get((x["status"], x["skip_reason"])) for x in rows}
    expected = {
        f"{rule}-{found}-{more}": TABLE[found][nth]
        for nth, rule in enumerate(RULES)
        for found in TABLE
        for more in (0, 1)
    }
    assert {x: became[x] for x in expected} == expected


@pytest.mark.parametrize("rule", RULES)
def test_a_step_that_depends_on_none_runs(toy: Toy, rule: str):
    graph(toy, x={"function": "well", "trigger_rule": rule})
    start(toy)
    work(toy)

    assert steps(toy) == {"x": "succeeded"}


@pytest.mark.parametrize(("rule", "first"), [("one_success", "well"), ("one_failed", "badly")])
def test_a_rule_that_wants_one_does_not_wait_for_the_others(toy: Toy, rule: str, first: str):
    graph(
        toy,
        x={"function": first},
        y={"operations": ["look"]},
        z={"function": "well", "depends_on": ["x", "y"], "trigger_rule": rule},
    )
    toy.add(2)
    start(toy)
    toy.advance()

    assert (steps(toy)["y"], steps(toy)["z"]) == ("running", "succeeded")
    work(toy)
    assert status(toy) == ("succeeded" if first == "well" else "failed")


@pytest.mark.parametrize("rule", ["one_success", "one_failed"])
def test_a_step_waits_while_its_rule_is_not_decided(toy: Toy, rule: str):
    graph(
        toy,
        x={"function": "badly" if rule == "one_success" else "well"},
        y={"operations": ["look"]},
        z={"function": "well", "depends_on": ["x", "y"], "trigger_rule": rule},
    )
    toy.add(2)
    start(toy)
    toy.advance()
    assert steps(toy)["z"] == "pending"

    work(toy, *(["y"] if rule == "one_failed" else []))
    assert steps(toy)["z"] == "succeeded"


@pytest.mark.parametrize("is_tolerated", [True, False])
def test_a_failure_that_is_tolerated_does_not_fail_the_run(toy: Toy, is_tolerated: bool):
    graph(
        toy,
        x={"function": "badly", "may_fail": is_tolerated},
        y={"operations": ["look"], "may_fail": is_tolerated},
        z={"function": "well", "depends_on": ["x", "y"], "trigger_rule": "all_done"},
    )
    toy.add(2)
    start(toy)
    work(toy, "y")

    assert steps(toy) == {"x": "failed", "y": "failed", "z": "succeeded"}
    assert step(toy, "x")["may_fail"] is is_tolerated
    assert status(toy) == ("succeeded" if is_tolerated else "failed")
