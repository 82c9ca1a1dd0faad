"""begin_plan opens a plan's declarations, for one transaction."""

from __future__ import annotations

import pytest

from headgate.database import connect
from headgate.settings import Settings
from tests.db.declare.conftest import ALL, Shelf
from tests.plan import Plan


def test_declaring_again_changes_nothing(shelf: Shelf):
    first = shelf.put(*ALL)

    assert first == ["created"] * 4 + ["unchanged"]
    assert shelf.put(*ALL) == ["unchanged"] * 5


def test_a_name_that_is_not_a_folder_s_is_refused(shelf: Shelf):
    with shelf.refused() as said:
        shelf.put(plan="My Plan")

    assert "invalid plan name: 'My Plan'" in said[0]


def test_a_plan_begins_only_when_the_one_before_has_ended(shelf: Shelf):
    shelf.begun(*ALL)

    with shelf.refused() as said:
        shelf.begun(plan="other")
    assert "begin_plan(other) was called before end_plan() of plan shelf" in said[0]
    shelf.run("end_plan()")


def test_without_a_begun_plan_nothing_is_declared(shelf: Shelf):
    with shelf.refused() as said:
        shelf.run("put_pipeline('shelves')")

    assert "no plan has begun in this transaction" in said[0]


def test_a_begun_plan_does_not_outlive_its_transaction(core_template: Settings):
    with connect(core_template, "test") as connection:
        plan = Plan(connection)
        plan.call("begin_plan", plan="shelf")

        assert not plan.scalar("select nullif(current_setting('headgate.plan', true), '')")


def test_the_dry_run_is_a_rollback(shelf: Shelf):
    with pytest.raises(ZeroDivisionError), shelf.toy.connection.transaction():
        assert shelf.put(*ALL)[0] == "created"
        raise ZeroDivisionError

    assert shelf.row("providers", "shelf") == {}


def test_an_object_is_declared_by_one_plan_only(shelf: Shelf):
    shelf.put(*ALL)

    with shelf.refused() as said:
        shelf.put("put_pipeline('shelves')", plan="other")
    assert "pipeline shelves: plan shelf already declares it" in said[0]
