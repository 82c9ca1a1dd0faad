"""The expected schema is the one that the last migrate left."""

from __future__ import annotations

import pytest

from headgate.database import connect
from headgate.migrate.run import migrate
from headgate.settings import Settings
from tests.db.maintenance.test_examine import wrong
from tests.plan import Plan


@pytest.fixture
def db(small_db: Plan) -> Plan:
    return small_db


def test_a_change_by_hand_is_found_until_it_is_noted(db: Plan):
    db.sql("alter table headgate.chunks add column note text")
    assert "schema" in wrong(db)

    assert db.value("note_schema") > 200
    assert wrong(db) == {}


def test_the_functions_that_migrate_applies_again_are_whole_again(small_database: Settings):
    with connect(small_database, "test") as connection:
        plan = Plan(connection)
        plan.sql("drop view headgate.v_trading_sessions")
        plan.sql("alter function headgate.clock() volatile")
        plan.sql("grant execute on function headgate.clock() to public")
        plan.sql("revoke select on headgate.v_alerts from headgate_reader")
        assert wrong(plan)["schema"]["found"].startswith("3 differ")
        assert migrate(small_database).files == []

        assert plan.value("forget_files") > 80
        assert len(migrate(small_database).files) > 80
        assert wrong(plan) == {}


def test_another_version_of_the_server_is_reported_as_such(db: Plan):
    db.sql("update headgate.schema_notes set fingerprint = '14' where kind = 'server'")

    assert "another version" in wrong(db)["schema"]["found"]
