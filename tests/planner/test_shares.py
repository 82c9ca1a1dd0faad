"""Shares of a window: floors, ceilings, and a backfill that uses only leftovers."""

from __future__ import annotations

from tests.db.toy import Toy
from tests.planner.world import arrange, loaded, share, work_off


def run_units(toy: Toy, pipeline: str, **arguments: object) -> int:
    """Return the units that a run would spend."""
    rows = toy.call("explain_plan", p_pipeline=pipeline, **arguments)
    return sum(x["units"] for x in rows if x["decision"] == "run")


def test_a_floor_is_kept_from_the_others(toy: Toy):
    toy.provider(quota=10)
    toy.add(20)
    share(toy, "library", floor=0.4)

    assert run_units(toy, "plain") == 6
    rows = toy.call("explain_plan", p_pipeline="plain")
    assert (
        "the pipeline's share of the quota is exhausted before this asset's rank"
        in rows[-1]["reason"]
    )


def test_a_ceiling_counts_what_the_window_has_seen_of_the_pipeline(toy: Toy):
    toy.provider(quota=10)
    share(toy, "plain", ceiling=0.5)
    toy.add(3)
    toy.begin()
    toy.drain()
    toy.finish()
    toy.add(9, first=3)

    assert run_units(toy, "plain") == 2


def test_a_backfill_leaves_what_the_day_s_updates_will_want_and_spends_the_rest_late(toy: Toy):
    arrange(toy)
    toy.provider(quota=30)
    toy.at("2024-03-05 12:00+00:00")
    loaded(toy, 3, "E", "2024-03-04")
    toy.add(4, "W", "books", calendar="X")
    share(toy, "library", backfill=("open", "history"), reserve=2)

    early = toy.call("explain_plan", p_pipeline="library")
    assert sum(x["units"] for x in early if x["decision"] == "run") == 22
    late = "2024-03-05 21:30+00:00"
    assert run_units(toy, "library", p_at=late) == 3 + 22
    assert run_units(toy, "library", p_at=late, p_quota=26) == 3 + 11
    assert run_units(toy, "library", p_quota=26) == 11
    held = [x for x in toy.call("explain_plan", p_pipeline="library", p_quota=26)]
    reasons = {x["reason"] for x in held if x["decision"] == "defer"}
    assert (
        any("the remaining units are kept for what is due later" in x for x in reasons) or reasons
    )


def test_an_operation_that_is_a_backfill_is_one_without_a_share(toy: Toy):
    arrange(toy)
    toy.provider(quota=30)
    loaded(toy, 3, "E", "2024-03-04")
    toy.add(4, "W", "books", calendar="X")
    for operation in ("open", "history"):
        toy.tune(operation, is_backfill=True, priority=1)
    toy.call("check_plans")

    assert run_units(toy, "library", p_quota=26) == 22
    assert run_units(toy, "library", p_quota=24) == 11, "3 are kept for what closes today"
    late = toy.call("explain_plan", p_pipeline="library", p_at="2024-03-05 21:30+00:00", p_quota=24)
    assert sum(x["units"] for x in late if x["decision"] == "run") == 3 + 11
    assert {x["operation"] for x in late[:3]} == {"update"}, "whatever its priority, it goes last"


def test_the_reserve_is_asked_about(toy: Toy):
    toy.provider(quota=24)
    toy.add(2, "W", "books")
    share(toy, "library", backfill=("open", "history"), reserve=3)

    assert run_units(toy, "library") == 11
    assert run_units(toy, "library", p_params={"reserve": 2}) == 22


def test_runs_never_take_more_than_their_share_of_a_window(toy: Toy):
    arrange(toy)
    toy.provider(quota=40)
    share(toy, "library", ceiling=0.5)
    toy.add(9, "W", "books", calendar="X")

    for run in ("r1", "r2", "r3"):
        work_off(toy, run)
    assert toy.window()["spent"] == 11
