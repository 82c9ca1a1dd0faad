"""put_step: a function or operations, in the order of the file."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.db.declare.conftest import OPERATION, PIPELINE, PROVIDER, STEP, Shelf
from tests.db.toy import Toy

START = "put_step('shelves', 'start', function => 'headgate.start_execution')"
STEPS = """
    select s.step, s.position, s.kind, s.depends_on from headgate.pipeline_steps as s
    join headgate.pipelines as p using (pipeline_id) where p.name = 'shelves' order by s.position
"""


def test_steps_have_the_order_of_the_file(shelf: Shelf, toy: Toy):
    after = STEP.replace("'{dust}'", "'{dust}', depends_on => '{start}'")
    shelf.put(PROVIDER, OPERATION, PIPELINE, STEP)
    results = shelf.put(PROVIDER, OPERATION, PIPELINE, START, after)

    assert results[3:5] == ["created", "changed: depends_on, position"]
    assert [tuple(x.values()) for x in toy.sql(STEPS)] == [
        ("start", 1, "function", []),
        ("all", 2, "fan_out", ["start"]),
    ]


def test_a_step_is_a_function_or_operations(shelf: Shelf):
    said = shelf.mistakes(
        PROVIDER,
        OPERATION,
        PIPELINE,
        "put_step('shelves', 'none')",
        "put_step('shelves', 'both', '{dust}', 'headgate.start_execution')",
    )

    assert said.count("breaks the rule: fan out has its operations") == 2


def test_the_answer_of_a_step_of_one_call_may_be_cached(shelf: Shelf):
    asks = "put_step('shelves', 'look', {}, cache => '1 hour', revalidate => true)"
    assert "a step of one call has a request" in shelf.mistakes(
        PROVIDER, OPERATION, PIPELINE, asks.format("'{dust}'")
    )
    shelf.put(PROVIDER, PIPELINE, asks.format("request => 'GET /rates', provider => 'shelf'"))
    operation = shelf.row("operations", "shelves_look")
    assert (operation["cache"], operation["revalidate"]) == (timedelta(hours=1), True)


def test_groups_that_an_operator_has_added_stay(shelf: Shelf, toy: Toy):
    covered = STEP.replace("'{dust}'", "'{{dust}}', group_keys => '{{{}}}'")
    groups = "select group_keys from headgate.pipeline_steps where step = 'all' and operations = '{dust}'"
    shelf.put(PROVIDER, OPERATION, PIPELINE, covered.format("A"))
    toy.call("cover_groups", p_pipeline="shelves", p_step="all", p_group_keys=["Z"])

    assert shelf.put(PROVIDER, OPERATION, PIPELINE, covered.format("A"))[3] == "unchanged"
    assert toy.scalar(groups) == ["A", "Z"]
    shelf.put(PROVIDER, OPERATION, PIPELINE, covered.format("A,B"))
    assert toy.scalar(groups) == ["A", "B", "Z"]


def test_an_unknown_pipeline_is_a_mistake(shelf: Shelf):
    said = shelf.mistakes(PIPELINE, STEP.replace("'shelves'", "'shelvs'"))

    assert "pipeline shelvs, step all: unknown pipeline 'shelvs'" in said
    assert "did you mean shelves?" in said


CONDITION = '$.run.id == "a"'


def conditional(condition: str) -> str:
    """Return a step with this condition."""
    return STEP.replace("'{dust}'", f"'{{dust}}', condition => '{condition}'")


def test_a_condition_is_kept_and_the_same_one_written_otherwise_is_unchanged(
    shelf: Shelf, toy: Toy
):
    plan = (PROVIDER, OPERATION, PIPELINE)
    shelf.put(*plan, conditional(CONDITION))

    assert (
        toy.scalar(
            "select condition::text from headgate.pipeline_steps where step = 'all' and condition is not null"
        )
        == '($."run"."id" == "a")'
    )
    assert shelf.put(*plan, conditional(' $.run.id  == "a" '))[3] == "unchanged"
    assert shelf.put(*plan, STEP)[3] == "changed: condition"


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("$.run.id ==", "its condition is not a jsonpath: $.run.id =="),
        ("$.run.id", "its condition is no predicate"),
    ],
)
def test_an_invalid_condition_is_a_mistake(shelf: Shelf, condition: str, said: str):
    assert said in shelf.mistakes(PROVIDER, OPERATION, PIPELINE, conditional(condition))


def test_a_condition_reads_only_steps_that_come_before(shelf: Shelf):
    before = "put_step('shelves', 'before', function => 'headgate.start_execution')"
    other = "put_step('shelves', 'other', function => 'headgate.start_execution')"
    step = conditional('$.steps.other.status == "succeeded"').replace(
        "condition", "depends_on => '{before}', condition"
    )

    said = shelf.mistakes(PROVIDER, OPERATION, PIPELINE, before, other, step)

    assert (
        "pipeline shelves, step all: its condition reads step 'other', which does not come before it"
        in said
    )
    shelf.put(PROVIDER, OPERATION, PIPELINE, before, other, step.replace("{before}", "{other}"))


def test_an_unknown_trigger_rule_is_a_mistake(shelf: Shelf):
    said = shelf.mistakes(
        PROVIDER,
        OPERATION,
        PIPELINE,
        STEP.replace("'{dust}'", "'{dust}', trigger_rule => 'always'"),
    )

    assert "trigger rule is known" in said
