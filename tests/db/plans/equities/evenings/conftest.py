"""Evening after evening on two exchanges, Lisbon's and Zurich's: few listings are quickly planned."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from runner.database import connect
from runner.settings import Settings
from tests import clock
from tests.plan import Plan

OTHERS = """
set local session_replication_role = replica;
create temporary table others on commit drop as
    select asset_id, code from headgate.assets
    where universe = 'equities' and group_key not in ('LS', 'SW');
delete from headgate.asset_processing_state where asset_id in (select asset_id from others);
delete from equities.listings where asset_id in (select asset_id from others);
delete from headgate.assets where asset_id in (select asset_id from others);
"""


@pytest.fixture(scope="session")
def _few(clone: Callable[[Settings | None], Settings], template: Settings) -> Settings:
    """Clone the template once for all evenings, and leave two exchanges."""
    settings = clone(template)
    with connect(settings, "test") as connection:
        with connection.transaction():
            connection.execute(OTHERS)
        connection.execute("vacuum (full, analyze)")
    return settings


@pytest.fixture
def db(_few: Settings) -> Iterator[Plan]:
    """Open a transaction that is rolled back, its clock standing still."""
    with connect(_few, "test", autocommit=False) as connection:
        plan = Plan(connection)
        plan.freeze_clock(clock.NOW)
        yield plan
        connection.rollback()
