"""A run begins, once."""

from __future__ import annotations

import pytest

from tests.db.toy import Toy


def test_a_run_begins_with_its_steps(toy: Toy):
    row = toy.start()

    assert (row["status"], row["is_new"]) == ("running", True)
    steps = toy.sql("select step, status from headgate.process_steps order by position")
    assert [(x["step"], x["status"]) for x in steps] == [
        ("start", "succeeded"),
        ("quota", "pending"),
        ("a", "pending"),
        ("b", "pending"),
        ("finish", "pending"),
    ]


def test_starting_it_again_changes_nothing_and_says_so(toy: Toy):
    first = toy.start(run="r1", pipeline="library", p_params={"mode": "new"})

    with toy.unchanged():
        again = toy.start("r1", "library", p_params={"mode": "known"})
    assert again == first | {"is_new": False}


def test_a_run_that_has_ended_is_not_started_again(toy: Toy):
    toy.start()
    toy.finish()

    with toy.unchanged():
        again = toy.start()
    assert (again["status"], again["is_new"]) == ("succeeded", False)


def test_one_run_of_a_pipeline_at_a_time(toy: Toy):
    toy.start()

    with (
        toy.unchanged(),
        toy.refused(
            "HG011", "plain is already running as 'r1'", "since 2024-03-05 12:00 UTC", "in Airflow"
        ),
    ):
        toy.start("r2")
    toy.start("r2", "aside")
    toy.finish()
    assert toy.start("r2")["is_new"]


def test_a_paused_pipeline_starts_nothing(toy: Toy):
    toy.call("pause_pipeline", p_pipeline="plain")

    with toy.unchanged(), toy.refused("HG013", "pipeline plain is paused", "resume_pipeline"):
        toy.start()


def test_the_logical_date_and_the_driver_are_kept(toy: Toy):
    toy.start(p_logical_date="2024-03-04 21:30+00", p_driver="headgate")

    (row,) = toy.sql(
        "select driver, logical_date::text as date, started_at from headgate.process_executions"
    )
    assert row["driver"] == "headgate"
    assert row["started_at"] == toy.now


@pytest.mark.parametrize("run", ["", "x" * 251, None])
def test_a_run_needs_a_name(toy: Toy, run: str):
    with toy.unchanged(), toy.refused("HG008", "1 to 250 characters"):
        toy.start(run)


@pytest.mark.parametrize(
    "run", ["x" * 250, "scheduled__2024-03-05T21:30:00+00:00", "a'; drop table x--", "ü 🐟"]
)
def test_any_short_text_is_a_name(toy: Toy, run: str):
    toy.start(run)

    assert toy.execution(run)["status"] == "running"


@pytest.mark.parametrize("driver", ["cron", None])
def test_an_unknown_driver_is_refused(toy: Toy, driver: str | None):
    with toy.unchanged(), toy.refused("HG008", "unknown driver", "airflow or headgate"):
        toy.start(p_driver=driver)


def test_an_unknown_pipeline_is_refused(toy: Toy):
    with toy.refused("HG001", "known pipelines"):
        toy.start("r1", "plane")
