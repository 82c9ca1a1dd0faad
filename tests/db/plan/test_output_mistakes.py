"""Outputs that are used before they exist, or cannot be stored, are rejected by migrate, by name."""

from __future__ import annotations

from typing import Any

import pytest

from tests.db.executions import graph as g
from tests.db.toy import Toy

STATUS = {"status": "$.status"}


@pytest.fixture(autouse=True)
def _no_other_steps(toy: Toy) -> None:
    toy.sql("delete from headgate.pipeline_steps")


X = {"operations": ["look"]}
Y = {"operations": ["peek"], "depends_on": ["x"]}


def refused(
    toy: Toy, query: str, *words: str, code: str = "HG017", **steps: dict[str, Any]
) -> None:
    """Let `peek` use a field in a pipeline of these steps, and expect a rejection with these words."""
    toy.tune("peek", query={"v": query})
    with toy.refused(code, *words):
        g.graph(toy, **steps)


def test_a_step_that_is_not_there_is_named_with_those_it_may_mean(toy: Toy):
    refused(
        toy, "{steps.xs.status}",
        "pipeline graph, step y: peek names {steps.xs.status}, but there is no step 'xs'",
        "did you mean x?", x={"function": "well"}, y=Y,
    )  # fmt: skip


def test_a_step_must_have_ended_when_it_is_named(toy: Toy):
    refused(
        toy, "{steps.z.status}", "but step z does not come before it", "the steps before it: x",
        x={"function": "well"}, z={"function": "well"}, y=Y,
    )  # fmt: skip


def test_outputs_of_indirect_predecessors_may_be_named(toy: Toy):
    toy.tune("peek", query={"v": "{steps.w.status}"})
    g.graph(toy, w={"function": "well"}, x={"function": "well", "depends_on": ["w"]}, y=Y)


def test_a_fan_out_without_outputs_has_none(toy: Toy):
    refused(toy, "{steps.x.status}", "but step x has no output", "declare outputs", x=X, y=Y)


def test_an_output_of_another_name_is_named(toy: Toy):
    toy.add(1)
    toy.tune("look", outputs=STATUS)
    refused(
        toy, "{steps.x.statu}", "but step x has no output 'statu'", "did you mean status?", x=X, y=Y
    )


def test_several_assets_are_named_by_code(toy: Toy):
    toy.add(2)
    toy.tune("look", outputs=STATUS)
    refused(toy, "{steps.x.status}", "no output 'status'", "its outputs: A0, A1", x=X, y=Y)


def test_two_operations_of_one_step_put_nothing_out_of_the_same_assets(toy: Toy):
    toy.tune("open", outputs=STATUS)
    toy.tune("history", outputs=STATUS)
    with toy.refused("HG020", "step x: 2 operations declare outputs of the same assets"):
        g.graph(toy, x={"operations": ["open", "history"]})


def test_more_than_a_thousand_assets_have_no_outputs(toy: Toy):
    toy.add(1001)
    toy.tune("look", outputs=STATUS)
    with toy.refused("HG020", "step x: it has outputs of 1001 assets; at most 1000 are kept"):
        g.graph(toy, x=X)


def test_a_step_of_some_groups_counts_those_alone(toy: Toy):
    toy.add(1001)
    toy.add(1, "B")
    toy.tune("look", outputs=STATUS)

    g.graph(toy, x={**X, "group_keys": ["B"]})
