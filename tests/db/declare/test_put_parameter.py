"""put_parameter: what a run may set; most effects imply the type."""

from __future__ import annotations

import pytest

from tests.db.declare.conftest import PIPELINE, Shelf
from tests.db.toy import Toy

ROW = """
    select m.type, m.default_value, m.allowed from headgate.pipeline_parameters as m
    join headgate.pipelines as p using (pipeline_id) where p.name = 'shelves'
"""


@pytest.mark.parametrize(
    ("effect", "type_"),
    [("quota", "integer"), ("chunk_size", "integer"), ("groups", "list"), ("mode", "text"), ("request", "text")],
)  # fmt: skip
def test_the_type_follows_from_the_effect(shelf: Shelf, toy: Toy, effect: str, type_: str):
    shelf.put(PIPELINE, f"put_parameter('shelves', 'one', '{effect}')")

    assert toy.sql(ROW) == [{"type": type_, "default_value": None, "allowed": None}]


def test_a_parameter_s_default_is_merged(shelf: Shelf, toy: Toy):
    put = "put_parameter('shelves', 'one', 'quota', default_value => '{}')"
    shelf.put(PIPELINE, put.format("10"))

    assert shelf.put(PIPELINE, put.format("20"))[1] == "changed: default_value"
    assert shelf.put(PIPELINE, put.format("null"))[1] == "changed: default_value"
    assert toy.sql(ROW)[0]["default_value"] is None


def test_an_unknown_operation_is_a_mistake(shelf: Shelf):
    said = shelf.mistakes(
        PIPELINE, "put_parameter('shelves', 'one', 'max_assets', operations => '{lock}')"
    )

    assert "pipeline shelves, parameter one: unknown operation 'lock'" in said
    assert "did you mean look?" in said


def test_a_type_that_contradicts_the_effect_is_a_mistake(shelf: Shelf):
    said = shelf.mistakes(PIPELINE, "put_parameter('shelves', 'one', 'quota', type => 'text')")

    assert "breaks the rule: numbers are integers" in said
