"""The reason why a start would be rejected can be queried before starting."""

from __future__ import annotations

from tests.db.toy import Toy
from tests.plan import Row


def obstacle(toy: Toy) -> Row | None:
    """Return the reason why `plain` cannot be started, or null."""
    rows = toy.call("start_obstacle", p_pipeline="plain")
    return rows[0] if rows else None


def test_a_pipeline_that_can_be_started_has_no_obstacle(toy: Toy):
    assert obstacle(toy) is None


def test_a_run_that_is_under_way_is_named_with_what_ends_it(toy: Toy):
    toy.start()

    found = obstacle(toy)
    assert found is not None
    assert (found["code"], found["message"]) == (
        "HG011",
        "pipeline plain is already running as 'r1'",
    )
    assert "since 2024-03-05 12:00 UTC" in found["hint"]


def test_a_pause_stands_before_a_run(toy: Toy):
    toy.start()
    toy.call("pause_pipeline", p_pipeline="plain")

    found = obstacle(toy)
    assert found is not None
    assert (found["code"], found["hint"]) == ("HG013", "headgate.resume_pipeline resumes it")


def test_an_unknown_pipeline_is_refused(toy: Toy):
    with toy.refused("HG001"):
        toy.call("start_obstacle", p_pipeline="nowhere")
