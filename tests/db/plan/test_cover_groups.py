"""headgate.cover_groups: operators add groups to steps, and migrate keeps them."""

from __future__ import annotations

import pytest

from tests.db.toy import Toy

LOOKS = "select group_keys from headgate.pipeline_steps where step = 'a'"
REPLACED = """
update headgate.pipeline_steps set group_keys = %(keys)s where step = 'a'
"""


def cover(toy: Toy, step: str = "a", *groups: str, pipeline: str = "plain") -> int:
    return int(
        toy.value("cover_groups", p_pipeline=pipeline, p_step=step, p_group_keys=list(groups))
    )


def test_a_run_takes_the_groups_that_were_added(toy: Toy):
    toy.add(3, "Z")
    toy.begin()
    assert toy.chunks() == []
    toy.finish()

    assert cover(toy, "a", "Z", "Y") == 2
    toy.begin(run="r2")
    assert [(x["step"], x["group_key"]) for x in toy.chunks()] == [("a", "Z")]


def test_adding_again_changes_nothing(toy: Toy):
    cover(toy, "a", "Z")

    assert cover(toy, "a", "Z", "A") == 0
    assert toy.scalar(LOOKS) == ["A", "Z"]


def test_added_groups_outlive_the_plans_rows(toy: Toy):
    cover(toy, "a", "Z")
    toy.sql(REPLACED, keys=["A", "N"])
    toy.call("check_plans")

    assert toy.scalar(LOOKS) == ["A", "N", "Z"]
    toy.sql(REPLACED, keys=["A", "Z"])
    toy.call("check_plans")
    assert toy.scalar(LOOKS) == ["A", "Z"], "the plan has it by itself now"


@pytest.mark.parametrize(
    ("step", "groups", "code", "message"),
    [
        ("a", ["B"], "HG008", "group 'B' is already covered by step b"),
        ("a", [], None, ""),
        ("a", [""], "HG008", "p_group_keys must not contain null"),
        ("a", [None], "HG008", "p_group_keys must not contain null"),
        ("quota", ["Z"], "HG003", "plain has no step 'quota' that covers groups"),
        ("nope", ["Z"], "HG003", "plain has no step 'nope' that covers groups"),
    ],
)
def test_invalid_arguments_are_refused(
    toy: Toy, step: str, groups: list[str], code: str | None, message: str
):
    if code is None:
        assert cover(toy, step, *groups) == 0
    else:
        with toy.unchanged(), toy.refused(code, message):
            cover(toy, step, *groups)


def test_a_step_that_covers_all_needs_nothing_added(toy: Toy):
    assert cover(toy, "sum", "Z", pipeline="library") == 0
    toy.call("check_plans")
    assert toy.scalar("select group_keys from headgate.pipeline_steps where step = 'sum'") is None
