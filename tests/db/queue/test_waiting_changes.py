"""An export that falls behind raises an alert before its log fills the disk; catching up resolves it."""

from __future__ import annotations

import pytest

from tests.db.declare.conftest import Shelf
from tests.db.declare.test_changes import PLAN
from tests.db.maintenance.test_check_health import RUN
from tests.db.maintenance.test_examine import wrong
from tests.db.toy import NOON, Toy

SUBJECT = "export of changes dust"


@pytest.fixture
def grains(toy: Toy) -> Toy:
    """Export the changes of a table."""
    toy.sql("create table toy.grains (n integer primary key, size numeric)")
    toy.sql("alter table toy.grains owner to headgate_plan_toy")
    Shelf(toy).put(*PLAN)
    toy.sql("insert into toy.grains values (1), (2)")
    return toy


def alerts(toy: Toy) -> list[str]:
    return [x["message"] for x in toy.call("check_health", **RUN) if x["subject"] == SUBJECT]


def test_changes_that_wait_are_counted_and_said_since_when(grains: Toy):
    (row,) = grains.sql("select * from headgate.v_changes where operation = 'dust'")

    assert (row["operation"], row["changes_of"], row["changes"]) == ("dust", "toy.grains", 2)
    assert (row["oldest_at"], row["is_behind"]) == (NOON, False)
    assert row["bytes"] > 0


def test_changes_that_wait_for_more_than_a_day_are_an_alert_until_they_are_exported(grains: Toy):
    grains.later(days=1)
    assert alerts(grains) == []
    grains.later(seconds=1)

    (said,) = alerts(grains)
    assert said.startswith(
        "2 changes of toy.grains wait for their export, the oldest since 2024-03-05 12:00"
    )
    assert wrong(grains)[SUBJECT]["verdict"] == "warn"
    grains.sql("delete from headgate_changes.dust")
    assert alerts(grains) == []
    assert SUBJECT not in wrong(grains)


def test_a_log_that_is_too_large_is_an_alert_at_once(grains: Toy):
    grains.sql("update headgate.settings set value = '1000' where name = 'changes_bytes'")

    assert len(alerts(grains)) == 1
