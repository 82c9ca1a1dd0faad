"""Changes are read from a replication slot where that is possible, or where the plan says so; if not, it is said why."""

from __future__ import annotations

import pytest
from psycopg import sql

from tests.db.declare.conftest import PIPELINE, STEP, Shelf
from tests.db.declare.test_changes import KEPT, OPERATION, PLAN, STORE, TRIGGERS
from tests.db.maintenance.test_examine import wrong
from tests.db.toy import Toy

BY_SLOT = OPERATION.format(more=KEPT + ", changes_of => 'toy.grains', changes_by => 'slot'")
BY_TRIGGERS = BY_SLOT.replace("'slot'", "'triggers'")


def allow_slots(toy: Toy) -> None:
    """Let the owner have slots; skip on a server whose log has no changes of rows."""
    if toy.scalar("show wal_level") != "logical":
        pytest.skip("the server's wal_level is not logical")
    toy.sql("alter role headgate_owner replication")
    database = sql.Identifier(toy.connection.info.dbname)
    toy.connection.execute(
        sql.SQL("grant create on database {} to headgate_owner").format(database)
    )


@pytest.fixture
def shelf(toy: Toy) -> Shelf:
    """Make a table whose changes a slot can have."""
    allow_slots(toy)
    toy.sql("create table toy.grains (n integer primary key, size numeric)")
    toy.sql("alter table toy.grains replica identity full")
    toy.sql("alter table toy.grains owner to headgate_plan_toy")
    toy.sql("grant headgate_plan_toy to headgate_owner")
    return Shelf(toy)


def way(toy: Toy) -> tuple[bool, str | None]:
    """Return whether changes are read from a slot, and why not."""
    (row,) = toy.sql("select slot, slot_obstacle from headgate.v_changes where operation = 'dust'")
    assert (row["slot"] is None) == (toy.scalar(TRIGGERS) == 4)
    return row["slot"] is not None, row["slot_obstacle"]


def test_where_a_slot_is_possible_it_is_taken_and_kept(shelf: Shelf):
    shelf.put(*PLAN)
    assert way(shelf.toy) == (True, None)
    shelf.toy.sql("alter table toy.grains replica identity default")
    assert shelf.put(*PLAN)[1] == "unchanged"

    assert way(shelf.toy)[0]
    assert "does not log whole rows" in wrong(shelf.toy)["changes of dust"]["found"]


def test_triggers_that_log_changes_stay_until_the_plan_says_otherwise(shelf: Shelf):
    shelf.put(STORE, BY_TRIGGERS, PIPELINE, STEP)
    assert way(shelf.toy) == (False, None)
    shelf.put(*PLAN)
    assert way(shelf.toy) == (False, None)

    shelf.put(STORE, BY_SLOT, PIPELINE, STEP)
    assert way(shelf.toy) == (True, None)
    shelf.put(STORE, BY_TRIGGERS, PIPELINE, STEP)
    assert way(shelf.toy) == (False, None)
    assert shelf.toy.scalar("select count(*) from pg_publication") == 0


@pytest.mark.parametrize(
    ("change", "obstacle"),
    [
        ("alter role headgate_owner noreplication", "headgate_owner may not read the server's log"),
        ("alter table toy.grains replica identity default", "toy.grains does not log whole rows"),
        ("alter table toy.grains set unlogged", "toy.grains is not in the server's log"),
        (
            "alter table toy.grains add twice integer generated always as (n * 2) stored",
            "toy.grains has the generated column twice, which is not in the server's log",
        ),
    ],
)  # fmt: skip
def test_where_no_slot_is_possible_there_are_triggers_and_a_slot_is_refused(
    shelf: Shelf, change: str, obstacle: str
):
    shelf.toy.connection.execute(change.encode())
    shelf.put(*PLAN)
    assert way(shelf.toy) == (False, obstacle)

    assert obstacle in shelf.mistakes(STORE, BY_SLOT, PIPELINE, STEP)


def test_a_way_without_a_table_and_an_unknown_way_are_refused(shelf: Shelf):
    without = OPERATION.format(more=", handler => 'export', changes_by => 'slot'" + KEPT)
    assert "changes_by says nothing without changes_of" in shelf.mistakes(
        STORE, without, PIPELINE, STEP
    )
    unknown = BY_SLOT.replace("'slot'", "'wish'")
    assert "way of changes is known" in shelf.mistakes(STORE, unknown, PIPELINE, STEP)
