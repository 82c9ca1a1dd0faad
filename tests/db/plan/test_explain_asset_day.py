""" "Why was it not loaded last Tuesday?" is one query, whatever the reason was."""

from __future__ import annotations

from typing import Any

from tests.db.toy import Toy
from tests.planner.world import arrange, loaded, work_off

TUESDAY, WEDNESDAY = "2024-03-05", "2024-03-06"


def why(toy: Toy, asset: str = "A0", day: str = TUESDAY, **more: Any) -> list[dict[str, Any]]:
    """Ask about a day, some days later."""
    now = toy.now
    toy.later(days=6)
    rows = toy.call("explain_asset_day", p_asset=asset, p_on=day, **more)
    toy.at(now)
    return rows


def only(toy: Toy, asset: str = "A0", day: str = TUESDAY, operation: str = "look") -> Any:
    """Return the only answer for an operation, as (decision, outcome, reason)."""
    (row,) = [x for x in why(toy, asset, day) if x["operation"] == operation]
    return row["decision"], row["outcome"], row["reason"]


def test_finished_work_has_its_outcome(toy: Toy):
    toy.add(1)
    toy.begin()
    toy.drain()
    toy.finish()

    (row,) = why(toy)
    assert (row["pipeline"], row["run_id"], row["decision"], row["outcome"]) == (
        "plain",
        "r1",
        "run",
        "success",
    )
    assert (row["units"], row["reason"], row["evidence"]["attempts"]) == (1, None, 1)
    assert row["decided_at"] == toy.now


def test_a_failure_has_its_error(toy: Toy):
    toy.add(1)
    toy.begin()
    toy.drain(outcome="failed")
    toy.finish()

    assert only(toy) == ("run", "failed", "it went wrong")


def test_work_in_flight_has_no_outcome(toy: Toy):
    toy.add(1)
    toy.begin()

    assert only(toy) == ("run", None, "queued")


def test_work_beyond_the_budget_shows_the_units_left(toy: Toy):
    toy.provider(quota=1)
    toy.add(2)
    toy.begin()
    toy.drain()
    toy.finish()

    assert only(toy, "A1") == ("defer", None, "quota exhausted before this asset's rank")
    (row,) = why(toy, "A1")
    assert row["evidence"]["units_left"] == 1
    assert row["evidence"]["units_ranked_before"] == 1


def test_a_day_without_a_run_is_said_to_be_one(toy: Toy):
    toy.add(1)

    assert only(toy) == ("skip", None, "no run of its pipeline on this day is on record")


def test_an_asset_that_was_not_due_is_said_to_be_so(toy: Toy):
    toy.add(1)
    toy.tune(due_every="7 days")
    toy.begin()
    toy.drain()
    toy.finish()
    toy.later(days=1)
    toy.begin(run="r2")
    toy.finish("r2")

    decision, _, reason = only(toy, day=WEDNESDAY)
    assert (decision, reason) == (
        "skip",
        "not due: done on 2024-03-05 12:00:00, and due every 7 days",
    )


def test_a_day_without_a_session_is_said_to_be_one(toy: Toy):
    arrange(toy, holidays=("2024-03-06",))
    loaded(toy, 1, "W", "2024-03-01")
    work_off(toy, "tuesday")
    toy.later(days=1)
    work_off(toy, "at noon")
    toy.later(days=1)
    work_off(toy, "after the holiday")

    assert only(toy, "W0", TUESDAY, "update")[:2] == ("run", "success")
    assert only(toy, "W0", WEDNESDAY, "update")[:2] == ("run", "success")
    assert only(toy, "W0", "2024-03-07", "update") == (
        "skip",
        None,
        "not due: 2024-03-05, the last published session, had been loaded by 2024-03-06 12:00:00",
    )


def test_an_asset_outside_the_runs_parameters_is_said_to_be_so(toy: Toy):
    toy.add(2, "W", "books")
    toy.begin("west", pipeline="library", assets=["W0"])
    toy.finish(pipeline="library")

    (row,) = [x for x in why(toy, "W1") if x["operation"] == "open"]
    assert row["reason"] == "outside the run's parameters"
    assert row["evidence"] == {"params": {"assets": ["W0"]}}
    assert only(toy, "W0", operation="update")[2] == "waited for history to succeed"
    assert only(toy, "W0", operation="open")[0] == "run"


def test_the_mode_and_the_groups_of_a_run_are_parameters_too(toy: Toy):
    toy.add(1, "W", "books")
    toy.add(1, "E", "books")
    toy.begin("west", pipeline="library", mode="known")
    toy.finish(pipeline="library")
    toy.later(days=1)
    toy.begin("east", run="r2", pipeline="library", groups=["E"])
    toy.finish("r2", "library")

    assert only(toy, "W0", operation="open")[2] == "outside the run's parameters"
    assert only(toy, "W0", WEDNESDAY, "open")[2] == "outside the run's parameters"


def test_the_run_of_another_pipeline_that_had_the_asset_is_named(toy: Toy):
    toy.sql("insert into headgate.pipelines (name) values ('twin')")
    toy.sql(
        "insert into headgate.pipeline_steps (pipeline_id, step, position, kind, operations)"
        " select pipeline_id, 'a', 1, 'fan_out', '{look}' from headgate.pipelines where name = 'twin'"
    )
    toy.add(1)
    toy.begin()
    toy.begin(run="r2", pipeline="twin")

    said = {(x["pipeline"], x["run_id"]): x["reason"] for x in why(toy)}
    assert said["plain", "r1"] == "queued"
    assert said["twin", "r2"] == "held by run r1"
    toy.later(minutes=5)
    toy.drain()
    assert {x["pipeline"]: x["reason"] for x in why(toy)}["twin"] == "held by run r1"


def test_an_asset_that_failed_too_often_is_said_to_have(toy: Toy):
    toy.add(1)
    for n in range(5):
        toy.begin(run=f"r{n}")
        toy.drain(outcome="failed")
        toy.finish(f"r{n}")
        toy.later(minutes=1)
    toy.later(days=1)
    toy.begin(run="later")
    toy.finish("later")

    reason = "left out after 5 failures in a row, until it is reset"
    assert only(toy, day=WEDNESDAY) == ("defer", None, reason)


def test_an_asset_that_was_not_active_is_said_to_be_so(toy: Toy):
    (asset,) = toy.add(1)
    toy.call("set_asset_active", p_asset_id=asset, p_is_active=False)
    toy.begin()
    toy.finish()

    assert only(toy) == ("skip", None, "the asset is not active")


def test_a_run_that_did_not_come_to_the_asset_is_named_with_the_reason(toy: Toy):
    toy.add(1)
    toy.start("r1")
    toy.call("cancel_execution", p_pipeline="plain", p_run_id="r1")

    assert only(toy)[2] == "the run did not reach it: step a was cancelled"


def test_a_run_that_ends_after_midnight_is_found_on_both_days(toy: Toy):
    toy.add(1)
    toy.at("2024-03-05 23:50+00:00")
    toy.begin()
    toy.later(minutes=30)
    toy.drain()
    toy.finish()

    assert only(toy, day=TUESDAY)[:2] == ("run", "success")
    assert only(toy, day=WEDNESDAY)[:2] == ("run", "success")


def test_asking_changes_nothing_and_unknown_codes_are_refused(toy: Toy):
    toy.add(1)
    toy.begin()

    with toy.unchanged():
        why(toy)
    with toy.refused("HG009", "unknown asset: 'nobody'"):
        why(toy, "nobody")
    with toy.refused("HG009", "unknown asset in universe books"):
        why(toy, p_universe="books")
