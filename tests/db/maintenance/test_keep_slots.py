"""Slots are created and dropped as plans want, and what becomes of one is told before changes are missed."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from headgate.database import connect
from headgate.settings import Settings
from tests.adopt import adopt
from tests.db.declare.test_slots import allow_slots
from tests.db.maintenance.test_examine import wrong
from tests.db.toy import Toy

PLAN = """
    select headgate.begin_plan('public');
    select headgate.put_store('lake', 'file:///var/lib/lake');
    select headgate.put_operation('dust', due => 'run', changes_of => 'public.grains', changes_by => 'slot',
        store => 'lake', artifact_name => 'grains/{partition}/{part}.parquet');
    select headgate.put_pipeline('shelves');
    select headgate.put_step('shelves', 'all', operations => '{dust}');
    select headgate.end_plan();
"""
GONE = """
    select headgate.begin_plan('public');
    select headgate.end_plan();
"""
SUBJECT = "changes of dust"


@pytest.fixture
def grains(database: Settings) -> Iterator[Toy]:
    """Declare the export of a table's changes by a slot that is yet to be created."""
    with connect(database, "test") as connection:
        grains = Toy(connection)
        allow_slots(grains)
        grains.sql("create table public.grains (n integer primary key)")
        grains.sql("alter table public.grains replica identity full")
        adopt(connection)
        connection.execute(PLAN.encode())
        yield grains


def keep(grains: Toy) -> list[str]:
    return [x["done"] for x in grains.sql("select * from headgate.keep_slots()")]


def slots(grains: Toy) -> int:
    return int(
        grains.scalar(
            "select count(*) from pg_replication_slots where database = current_database()"
        )
    )


def test_a_slot_lives_as_long_as_the_operation(grains: Toy):
    assert "yet to be created" in wrong(grains)[SUBJECT]["found"]
    assert keep(grains) == ["created"]
    assert SUBJECT not in wrong(grains)
    assert "max_slot_wal_keep_size is unlimited" in wrong(grains)["replication slots"]["found"]
    assert keep(grains) == []

    grains.connection.execute(GONE.encode())
    assert slots(grains) == 1
    assert keep(grains) == ["dropped"]
    assert slots(grains) == 0


def test_a_slot_that_somebody_dropped_or_read_is_told_and_made_again(grains: Toy):
    keep(grains)
    name = grains.scalar("select slot from headgate.v_changes where operation = 'dust'")
    grains.sql("insert into public.grains values (1)")
    grains.sql(
        "select from pg_logical_slot_get_binary_changes(%(name)s, null, null, 'proto_version', '1',"
        " 'publication_names', 'headgate_dust')",
        name=name,
    )
    assert f"its slot {name} was read by somebody else" in wrong(grains)[SUBJECT]["found"]
    with pytest.raises(psycopg.Error, match="was read by somebody else") as caught:
        grains.call("prepare_changes", p_operation="dust")
    assert "headgate doctor --fix" in str(caught.value.diag.message_hint)

    grains.sql("select pg_drop_replication_slot(%(name)s)", name=name)
    assert f"its slot {name} is gone: changes since" in wrong(grains)[SUBJECT]["found"]
    assert keep(grains) == []
    grains.call("repair")
    assert keep(grains) == ["created"]
    assert SUBJECT not in wrong(grains)


def test_a_slot_that_falls_behind_is_an_alert_at_the_end_of_any_run(grains: Toy):
    keep(grains)
    grains.sql("update headgate.settings set value = '1000' where name = 'changes_bytes'")
    grains.sql("insert into public.grains select generate_series(1, 100)")
    grains.call("start_execution", p_pipeline="headgate_maintenance", p_run_id="m")
    grains.call("finalize_execution", p_pipeline="headgate_maintenance", p_run_id="m")

    said = """
        select message from headgate.v_alerts where subject = 'export of changes dust' and resolved_at is null
    """
    assert "changes of public.grains wait for their export since" in grains.scalar(said)
    grains.sql("update headgate.settings set value = '1000000000' where name = 'changes_bytes'")
    grains.call("start_execution", p_pipeline="headgate_maintenance", p_run_id="n")
    grains.call("finalize_execution", p_pipeline="headgate_maintenance", p_run_id="n")
    assert grains.sql(said) == []


def test_the_slot_of_a_restored_database_is_a_new_one(grains: Toy):
    keep(grains)
    grains.sql(
        "select pg_drop_replication_slot(slot) from headgate.v_changes where operation = 'dust'"
    )
    grains.call("own_changes")

    assert keep(grains) == ["created"]
    assert SUBJECT not in wrong(grains)
