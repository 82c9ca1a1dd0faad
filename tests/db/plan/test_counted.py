"""What a runner has counted answers as if it were counted for the question, and says when it was."""

from __future__ import annotations

from typing import Any

import pytest

from tests.db.plan.test_explain_plan import PARAMS, crowd
from tests.db.toy import Toy

LARGE = 1_700
"""Books of three needs each: enough for a forecast to be prepared."""


def count(toy: Toy) -> None:
    """Count as a runner does that is alive."""
    toy.call("heartbeat", p_runner="w", p_host="h", p_pid=1, p_version="1")
    assert toy.value("keep_counts")


def ask(toy: Toy, function: str, **arguments: Any) -> tuple[list[dict[str, Any]], set[Any]]:
    """Return the answer, and when its counts are from."""
    rows = toy.call(function, p_pipeline="library", **arguments)
    return [{name: value for name, value in row.items() if name != "counted_at"} for row in rows], {
        row["counted_at"] for row in rows
    }


@pytest.mark.parametrize("params", PARAMS, ids=str)
def test_totals_with_counts_are_the_totals_without(toy: Toy, params: dict[str, Any]):
    crowd(toy)
    count(toy)

    for at in (None, "2024-03-06 12:30+00:00", "2024-03-09 12:00+00:00"):
        exact, none = ask(toy, "explain_totals", p_at=at, p_params=params)
        quick, when = ask(toy, "explain_totals", p_at=at, p_params=params, p_counted=True)
        assert (quick, none, when) == (exact, {None}, {toy.now})


def test_what_is_held_or_inactive_is_counted_as_it_was_and_what_is_due_as_it_is(toy: Toy):
    crowd(toy)
    toy.start("r2", "library", p_params={"max_new": 2})
    toy.check("r2", "library")
    toy.call("set_asset_active", p_asset_id=toy.add(1, "E", "books")[0], p_is_active=False)
    count(toy)
    exact, _ = ask(toy, "explain_totals")
    assert ask(toy, "explain_totals", p_counted=True) == (exact, {toy.now})

    began = toy.now
    toy.later(seconds=30)
    toy.add(3, "E", "books", first=40)
    quick, when = ask(toy, "explain_totals", p_counted=True)
    now, _ = ask(toy, "explain_totals")
    assert when == {began}

    def skipped(rows: list[dict[str, Any]]) -> int:
        return sum(x["count"] for x in rows if x["decision"] == "skip")

    def planned(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [x for x in rows if x["decision"] != "skip"]

    assert planned(quick) == planned(now) != planned(exact)
    assert skipped(quick) < skipped(now), "what has come since is not among what was counted"


def test_without_a_runner_nothing_is_taken_from_counts(toy: Toy):
    crowd(toy)
    assert toy.value("keep_counts")

    assert ask(toy, "explain_totals", p_counted=True) == ask(toy, "explain_totals")


def test_a_form_offers_the_groups_that_were_there_when_a_runner_counted(toy: Toy):
    def choices(**arguments: Any) -> Any:
        rows = toy.call("run_parameters", **arguments)
        return {(x["pipeline"], x["parameter"]): x["choices"] for x in rows}["library", "groups"]

    toy.add(1, "W", "books", attributes={"exchange": "NYSE"})
    toy.add(1, "E", "books")
    count(toy)
    assert choices(p_counted=True) == choices() == ["E", "NYSE", "W"]
    toy.add(1, "F", "books")
    assert (choices(p_counted=True), choices()) == (["E", "NYSE", "W"], ["E", "F", "NYSE", "W"])


def test_a_forecast_from_counts_is_the_forecast_as_of_then(toy: Toy):
    crowd(toy)
    toy.add(LARGE, "W", "books", first=100)
    count(toy)
    counted_at = toy.now
    asked: list[dict[str, Any]] = [
        {},
        {"p_quota": 70},
        {"p_params": {"quota": 60, "max_new": 3, "reserve": 5}},
    ]
    for question in asked:
        exact, none = ask(toy, "forecast", p_days=9, **question)
        quick, when = ask(toy, "forecast", p_days=9, p_counted=True, **question)
        assert (quick, none, when) == (exact, {None}, {counted_at})

    for other in ({"mode": "new"}, {"calendar": "daily"}, {"groups": ["W"]}):
        question = {"p_days": 3, "p_params": other}
        assert ask(toy, "forecast", p_counted=True, **question) == ask(toy, "forecast", **question)

    before = ask(toy, "forecast", p_days=3, p_quota=60)[0]
    toy.add(5, "E", "books", first=50)
    assert ask(toy, "forecast", p_days=3, p_quota=60, p_counted=True) == (before, {counted_at})
    assert ask(toy, "forecast", p_days=3, p_quota=60)[0] != before


def test_a_pipeline_that_cannot_be_sorted_is_said_and_leaves_the_counts_of_others(toy: Toy):
    toy.add(LARGE, "W", "books")
    toy.sql(
        "update headgate.pipeline_parameters set default_value = '[\"nowhere\"]'"
        " where name = 'groups'"
    )

    with toy.notices() as notices:
        count(toy)
    assert any("no forecast is prepared for pipeline library" in x for x in notices)
    assert toy.scalar("select count(*) from headgate.group_counts") > 0
