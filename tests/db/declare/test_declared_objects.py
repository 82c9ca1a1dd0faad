"""declared_objects lists what a plan's file declares, with the place of each declaration."""

from __future__ import annotations

from tests.db.declare.conftest import ALL, Shelf


def test_objects_come_in_the_order_of_the_file_with_their_places(shelf: Shelf):
    shelf.run("begin_plan('shelf')")
    for line, call in enumerate(ALL, 3):
        shelf.toy.sql(f"select set_config('headgate.place', 'plan.sql:{line}', true)")
        shelf.run(call)
    shelf.run("end_plan()")

    found = shelf.toy.call("declared_objects", p_plan="shelf")

    assert [(x["place"], x["kind"], x["name"], x["object"]) for x in found] == [
        ("plan.sql:3", "provider", "shelf", "provider shelf"),
        ("plan.sql:4", "operation", "dust", "operation dust"),
        ("plan.sql:5", "pipeline", "shelves", "pipeline shelves"),
        ("plan.sql:6", "step", "shelves/all", "pipeline shelves, step all"),
    ]


def test_retired_objects_and_those_of_other_plans_are_not_listed(shelf: Shelf):
    shelf.put(*ALL)
    shelf.put(ALL[0])

    assert [x["name"] for x in shelf.toy.call("declared_objects", p_plan="shelf")] == ["shelf"]
    assert shelf.toy.call("declared_objects", p_plan="no such plan") == []
