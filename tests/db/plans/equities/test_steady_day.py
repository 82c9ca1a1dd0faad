"""A day with everything loaded, at full size: 21,817 listings, ten exchanges, re-reading, under 5,000 units."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import Warm
from tests.plan import Plan

PIPELINE = "data_collection_equities"
EVENING = (
    "2026-09-14 23:30:00+00"  # a Monday; all data of the day are published, and no holiday is near
)
LOADED = """
update headgate.asset_processing_state as s
set succeeded_at = %(now)s,
    watermark = '2026-09-14 00:00+00',
    next_due_at = case
        when o.name = 'prices_incremental'
            then headgate._session_due_at(o.provider_id, a.calendar, '2026-09-14 00:00+00', %(now)s, %(now)s)
    end
from headgate.assets as a, headgate.operations as o
where a.asset_id = s.asset_id
    and o.operation_id = s.operation_id
    and o.universe = 'equities'
"""
SERVED_ONE_BY_ONE = {"LS"}


@pytest.fixture(scope="module")
def evening(_warm_db: Warm) -> Iterator[Plan]:
    """Load all histories on a Monday evening; their exchanges are watched from then on."""
    with _warm_db.frozen() as db:
        db.freeze_clock(EVENING)
        db.sql(LOADED, now=EVENING)
        db.sql(
            "select equities._watch_groups(array_agg(distinct a.group_key), %(now)s) "
            "from headgate.assets as a where a.universe = 'equities'",
            now=EVENING,
        )
        yield db


@pytest.fixture
def loaded(evening: Plan) -> Iterator[Plan]:
    with evening.connection.transaction(force_rollback=True):
        yield evening


def test_a_steady_day_costs_less_than_5000_units_with_all_that_is_read_again(loaded: Plan):
    days = loaded.call("forecast", p_pipeline=PIPELINE, p_days=19)
    weekdays = [x for x in days if x["units"] > 100]

    assert len(weekdays) == 14, "Tuesday to Friday, twice Monday to Friday"
    assert all(x["deferred"] == 0 for x in days)
    steady = {x["units"] for x in weekdays[4:] if x["units"] % 100 == 74}
    assert steady == {9 * 100 + 74 + 10 * 200 + 9 * 200} == {4774}
    assert max(x["units"] for x in weekdays) == 4774 + 10, "and the lists, once a week"


def test_only_exchanges_that_one_call_serves_are_read_again(loaded: Plan):
    loaded.sql(
        "update headgate.asset_processing_state as s set next_due_at = "
        "equities.corrections_due_at(s.asset_id, null, '2026-09-15 23:45+00') "
        "from headgate.operations as o, headgate.assets as a "
        "where o.operation_id = s.operation_id and o.name = 'corrections_bulk' "
        "and a.asset_id = s.asset_id and a.attributes ->> 'session' = '2026-09-15'"
    )
    rows = [
        x
        for day in ("2026-09-15", "2026-09-16")
        for x in loaded.call("explain_summary", p_pipeline=PIPELINE, p_at=f"{day} 23:45+00")
    ]
    again = {x["group_key"] for x in rows if x["operation"] == "corrections_bulk"}
    one_call = {
        x["group_key"] for x in rows if x["operation"] == "prices_incremental" and x["units"] == 100
    }

    assert again == one_call
    assert {x["group_key"] for x in rows} - again == SERVED_ONE_BY_ONE
