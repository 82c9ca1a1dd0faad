"""Before a job reads changes, the slot is where they are exported: see also tests/db/maintenance/test_keep_slots.py."""

from __future__ import annotations

from tests.db.maintenance.test_keep_slots import grains, keep
from tests.db.toy import Toy

__all__ = ["grains"]


def test_the_slot_is_created_once_and_follows_what_is_exported(grains: Toy):
    told = grains.value("prepare_changes", p_operation="dust")
    assert told.endswith("was created: operation dust exports what changes from now on")
    assert grains.value("prepare_changes", p_operation="dust") is None

    grains.sql("insert into public.grains values (1)")
    grains.sql("update headgate.change_slots set position = pg_current_wal_flush_lsn()")
    grains.value("prepare_changes", p_operation="dust")
    assert grains.scalar(
        "select s.confirmed_flush_lsn = c.position from pg_replication_slots as s, headgate.change_slots as c"
        " where s.slot_name = headgate._slot_name(c.operation)"
    )
    assert keep(grains) == []
