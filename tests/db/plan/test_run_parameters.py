"""What a form for a run shows: names, types, choices."""

from __future__ import annotations

from typing import Any

from tests.db.toy import Toy


def known(toy: Toy) -> dict[str, dict[str, Any]]:
    rows = toy.call("run_parameters")
    return {x["parameter"]: x for x in rows if x["pipeline"] == "library"}


def test_the_most_used_parameters_come_first(toy: Toy):
    assert list(known(toy)) == [
        "mode", "groups", "assets", "lang", "quota", "buffer", "max_new", "max_updates", "new_chunk",
    ]  # fmt: skip


def test_choices_are_the_values_that_a_run_accepts(toy: Toy):
    toy.add(1, "W", "books", attributes={"exchange": "NYSE"})
    toy.add(1, "E", "books")
    found = known(toy)

    assert (found["mode"]["choices"], found["mode"]["is_closed"]) == (
        ["auto", "new", "known"],
        True,
    )
    assert (found["groups"]["choices"], found["groups"]["is_closed"]) == (["E", "NYSE", "W"], True)
    assert (found["assets"]["choices"], found["assets"]["is_closed"]) == (None, False)
    toy.start("r1", "library", p_params={"groups": found["groups"]["choices"]})


def test_groups_that_no_step_covers_are_not_a_choice(toy: Toy):
    toy.sql("delete from headgate.pipeline_steps where step = 'sum'")
    toy.add(1, "W", "books")
    toy.add(1, "Z", "books", attributes={"exchange": "zoo"})

    assert known(toy)["groups"]["choices"] == ["W"]


def test_a_pipeline_without_groups_of_a_kind_has_none_to_choose(toy: Toy):
    assert known(toy)["groups"]["choices"] is None
