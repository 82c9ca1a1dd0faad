"""Due work, before any budget is applied."""

from __future__ import annotations

from tests.db.toy import NOON, Toy


def test_the_delta_counts_what_is_due_per_operation_and_group(toy: Toy):
    toy.add(2, "W", "books")
    toy.add(1, "F", "books")
    toy.later(hours=3)
    toy.start("r1", "library")

    assert toy.call("discover_delta", p_pipeline="library", p_run_id="r1") == [
        {
            "operation": operation,
            "group_key": group,
            "due": due,
            "units": units,
            "oldest_due_at": NOON,
        }
        for operation, group, due, units in [
            ("open", "F", 1, 10),
            ("open", "W", 2, 20),
            ("history", "F", 1, 1),
            ("history", "W", 2, 2),
        ]
    ]


def test_the_run_s_parameters_narrow_the_delta(toy: Toy):
    toy.add(2, "W", "books")
    toy.add(1, "F", "books")
    toy.start(
        "r1", "library", p_params={"assets": ["W1"], "groups": ["W"], "quota": 0, "max_new": 0}
    )

    rows = toy.call("discover_delta", p_pipeline="library", p_run_id="r1")
    assert [(x["operation"], x["due"]) for x in rows] == [("open", 1), ("history", 1)]


def test_held_needs_are_not_due(toy: Toy):
    toy.add(2)
    toy.begin()

    assert toy.call("discover_delta", p_pipeline="plain", p_run_id="r1") == []


def test_discovering_the_delta_changes_nothing(toy: Toy):
    toy.add(2)
    toy.start()

    with toy.unchanged():
        toy.call("discover_delta", p_pipeline="plain", p_run_id="r1")


def test_unknown_names_are_refused(toy: Toy):
    with toy.refused("HG002", "no execution 'r1'"):
        toy.call("discover_delta", p_pipeline="plain", p_run_id="r1")
