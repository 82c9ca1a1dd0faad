"""A run's history, line by line, ordered by time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.db.toy import NOON, Toy


def lines(toy: Toy, since: datetime | None = None, run: str = "r1") -> list[tuple[Any, ...]]:
    """Return a run's lines: severity, event, step, message."""
    rows = toy.call("run_log", p_pipeline="plain", p_run_id=run, p_since=since)
    return [(x["severity"], x["event"], x["step"], x["message"]) for x in rows]


def messages(toy: Toy, event: str) -> list[str]:
    """Return the messages of one kind of event."""
    return [x[3] for x in lines(toy) if x[1] == event]


@pytest.fixture
def shop(toy: Toy) -> Toy:
    """Start a run of six jobs, in chunks of three."""
    toy.tune(chunk_size=3)
    toy.add(6)
    toy.begin()
    return toy


def test_a_run_s_life_is_reported_from_its_start_to_its_end(shop: Toy):
    for chunk in shop.claim(chunks=9):
        shop.later(seconds=1)
        shop.complete(chunk, says={"records": 2})
    shop.later(seconds=1)
    shop.finish()

    rows = shop.call("run_log", p_pipeline="plain", p_run_id="r1")
    assert [x["logged_at"] for x in rows] == sorted(x["logged_at"] for x in rows)
    assert rows[-1]["logged_at"] == NOON + timedelta(seconds=3)
    assert [x for x in lines(shop) if x[2] in (None, "a")] == [
        ("info", "run", None, "started, carried by Airflow"),
        ("info", "step", "a", "started"),
        ("info", "jobs", "a", "3 jobs of look succeeded, 6 records, 3 units"),
        ("info", "jobs", "a", "3 jobs of look succeeded, 6 records, 3 units"),
        ("info", "step", "a", "succeeded: 6 jobs, 6 succeeded, 6 units"),
        ("info", "run", None, "ended as succeeded: 6 jobs, 6 succeeded, 6 units"),
    ]


def test_lines_of_one_moment_stay_with_their_step(shop: Toy):
    shop.drain()
    shop.finish()

    steps = [x[2] for x in lines(shop) if x[2]]
    assert steps == sorted(steps, key=steps.index)
    for step in set(steps):
        said = [x[3] for x in lines(shop) if x[2] == step]
        assert said[-1].startswith(("succeeded", "skipped"))


def test_only_what_happened_since_a_moment_is_reported_when_asked(shop: Toy):
    for chunk in shop.claim(chunks=9):
        shop.later(seconds=1)
        shop.complete(chunk)

    assert [x[1] for x in lines(shop, since=NOON + timedelta(seconds=2))] == ["jobs", "step"]


def test_failures_are_errors_that_name_their_assets(shop: Toy):
    for chunk in shop.claim(chunks=9):
        shop.complete(chunk, "failed", chunk["asset_ids"][:2])

    failed = [x for x in lines(shop) if x[0] == "error"]
    assert failed == [
        ("error", "jobs", "a", "4 jobs of look failed: it went wrong (A0, A1, A3, A4), 4 units")
    ]


def test_deferrals_by_the_provider_or_by_us_are_warnings(shop: Toy):
    first, other = shop.claim(chunks=9)
    shop.complete(first, "deferred", fault="provider")
    shop.complete(other, "deferred", fault="internal")

    put_off = {x[3] for x in lines(shop) if x[:2] == ("warning", "jobs")}
    assert put_off == {
        "6 jobs of look deferred: it went wrong (A0, A1, A2, A3, A4, A5), 6 units",
    }


def test_a_second_round_says_so(shop: Toy):
    for chunk in shop.claim(chunks=9):
        shop.complete(chunk, "failed")
    shop.finish()
    shop.later(minutes=1)
    shop.call("retry_failed", p_pipeline="plain", p_run_id="r1")
    shop.drain()

    assert "jobs of look succeeded in round 2" in messages(shop, "jobs")[-1]
    assert any("called retry_failed: 6 planned" in x for x in messages(shop, "operator"))


def test_unplanned_work_is_reported_with_its_reason(toy: Toy):
    toy.add(6)
    toy.provider(quota=4)
    toy.begin()

    assert messages(toy, "deferral") == [
        "2 jobs of look not planned: quota exhausted before this asset's rank, 2 units"
    ]


def test_operators_are_named_with_what_they_changed(shop: Toy):
    shop.call("pause_pipeline", p_pipeline="plain")
    shop.later(seconds=1)
    shop.call("resume_pipeline", p_pipeline="plain")
    shop.later(seconds=1)
    shop.call("skip_step", p_pipeline="plain", p_run_id="r1", p_step="a")

    paused, resumed, skipped = messages(shop, "operator")
    assert paused.endswith("called pause_pipeline: 2 paused chunks, 1 paused executions")
    assert resumed.endswith("called resume_pipeline: 1 resumed executions, 2 sent chunks")
    assert skipped.endswith("called skip_step: 6 cancelled")
    assert ("info", "step", "a", "skipped: an operator said so") in lines(shop)


def test_a_cancelled_run_ends_with_a_warning(shop: Toy):
    shop.call("cancel_execution", p_pipeline="plain", p_run_id="r1")

    assert lines(shop)[-1] == ("warning", "run", None, "ended as cancelled: 6 jobs, 6 skipped")
    assert (
        "warning",
        "jobs",
        "a",
        "6 jobs of look cancelled: the execution was cancelled",
    ) in lines(shop)


def test_a_step_that_was_marked_before_its_turn_has_not_started(shop: Toy):
    shop.call("mark_step", p_pipeline="plain", p_run_id="r1", p_step="b", p_status="failed")

    assert [x for x in lines(shop) if x[2] == "b" and x[1] == "step"] == [
        ("error", "step", "b", "failed: 0 jobs")
    ]
    (said,) = messages(shop, "operator")
    assert said.endswith(" called mark_step, failed")


def test_alerts_of_its_time_are_reported_but_not_those_of_other_pipelines_steps(shop: Toy):
    def alert(subject: str) -> None:
        shop.call("raise_alert", p_subject=subject, p_severity="error", p_message="it is broken")

    shop.later(seconds=1)
    alert("the calendar")
    alert("step a of plain")
    alert("step a of library")
    shop.later(seconds=1)
    shop.call("resolve_alert", p_subject="the calendar")
    shop.finish()
    shop.later(seconds=1)
    alert("too late")

    assert sorted(messages(shop, "alert")) == [
        "step a of plain: it is broken",
        "the calendar: it is broken",
        "the calendar: resolved: it is broken",
    ]


def test_runs_are_kept_apart(shop: Toy):
    shop.drain()
    shop.finish()
    shop.later(minutes=1)
    shop.add(1, first=90)
    shop.begin(run="r2")
    shop.drain()

    assert messages(shop, "jobs") == ["6 jobs of look succeeded, 6 records, 6 units"]
    assert [x[3] for x in lines(shop, run="r2") if x[1] == "jobs"] == [
        "1 job of look succeeded, 1 record, 1 unit"
    ]


def test_an_unknown_run_is_an_error_that_says_what_was_meant(shop: Toy):
    with shop.refused("HG002", "has no execution 'r'", "did you mean r1?"):
        shop.call("run_log", p_pipeline="plain", p_run_id="r")
