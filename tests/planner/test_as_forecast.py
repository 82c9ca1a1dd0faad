"""Real runs do what the forecast said, a run does what explain said, and nothing exceeds the quota."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.attacks.form import either
from tests.db.toy import Toy
from tests.plan import Row
from tests.planner.world import arrange, loaded, paged, share, work_off

HOLIDAY = "2024-03-07"
LOOSE = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a library: loaded and new books, prices, a budget, a time of day."""
    return {
        "west": draw(st.integers(0, 9)),
        "east": draw(st.integers(0, 5)),
        "new": draw(st.integers(0, 9)),
        "weight": draw(st.sampled_from([1, 3, 50])),
        "quota": draw(st.integers(0, 60)),
        "call_units": draw(st.integers(1, 8)),
        "hour": draw(st.sampled_from([3, 12, 22])),
        "max_new": draw(st.sampled_from([None, 0, 2])),
        "reserve": draw(st.sampled_from([None, 0, 3])),
        "page": draw(st.sampled_from([None, (12, 1, 4), (8, 0, 3), (25, 2, 5)])),
    }


def build(toy: Toy, world: dict[str, Any]) -> dict[str, int]:
    """Create the library; return the run's parameters."""
    toy.at(toy.now.replace(hour=world["hour"]))
    arrange(toy, call_units=world["call_units"], holidays=(HOLIDAY,))
    loaded(toy, world["west"], "W", "2024-03-01")
    loaded(toy, world["east"], "E", "2024-02-29")
    toy.add(world["new"], "F", "books", calendar="X", weight=world["weight"])
    toy.provider(quota=world["quota"])
    if world["reserve"] is not None:
        share(toy, "library", backfill=("open", "history"), reserve=world["reserve"])
    if world["page"]:
        units, each, size = world["page"]
        paged(toy, units=units, each=each, size=size)
    return {} if world["max_new"] is None else {"max_new": world["max_new"]}


def spent(toy: Toy) -> int:
    """Return the units of the newest window."""
    window = toy.sql(
        "select spent, usable from headgate.quota_windows order by opened_at desc limit 1"
    )
    return int(window[0]["spent"]) if window else 0


@settings(max_examples=either(10, 100), deadline=None, suppress_health_check=LOOSE)
@given(world=worlds())
def test_five_days_are_run_as_they_were_forecast(toy: Toy, world: dict[str, Any]):
    toy.sql("savepoint example")
    now = toy.now
    try:
        params = build(toy, world)
        said = toy.call("forecast", p_pipeline="library", p_days=5, p_params=params)
        for day in said:
            explained = toy.call("explain_plan", p_pipeline="library", p_params=params)
            work_off(toy, f"r{day['day']}", params=params)
            run = [x for x in explained if x["decision"] == "run"]
            done = toy.sql(
                "select a.code as asset, o.name as operation, d.units"
                " from headgate.asset_processing_details as d"
                " join headgate.process_executions as e using (execution_id)"
                " join headgate.assets as a using (asset_id)"
                " join headgate.operations as o using (operation_id) where e.run_id = %(run)s",
                run=f"r{day['day']}",
            )
            keys = ("asset", "operation", "units")
            assert sorted(tuple(x[y] for y in keys) for x in run) == sorted(
                tuple(x[y] for y in keys) for x in done
            )
            units = sum(x["units"] for x in done)
            assert (day["day"], units) == (day["day"], day["units"])
            assert units == (spent(toy) if units else 0) <= world["quota"]
            toy.at(toy.now + timedelta(days=1))
    finally:
        toy.sql("rollback to savepoint example")
        toy.at(now)


def test_nothing_is_planned_on_a_holiday_or_a_sunday(toy: Toy):
    arrange(toy, holidays=(HOLIDAY,))
    loaded(toy, 3, "W", "2024-03-06")

    for moment in ("2024-03-07 23:00", "2024-03-08 21:14", "2024-03-10 12:00"):
        assert bool(updates(toy, moment)) == (moment > "2024-03-09"), moment
    toy.at("2024-03-08 21:15+00:00")
    work_off(toy, "friday")
    assert updates(toy, "2024-03-10 12:00") == []
    assert len(updates(toy, "2024-03-11 21:15")) == 3


def updates(toy: Toy, moment: str) -> list[Row]:
    """Return the updates that would be due at a moment."""
    rows = toy.call("explain_plan", p_pipeline="library", p_at=f"{moment}+00:00")
    return [x for x in rows if x["operation"] == "update"]
