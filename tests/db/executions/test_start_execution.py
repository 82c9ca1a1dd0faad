"""Starting a run, once per run id."""

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


@pytest.mark.parametrize("given", [{"mode": "new"}, {"mode": "auto"}, {}, None])
def test_starting_it_again_with_the_same_parameters_or_none_changes_nothing_and_says_so(
    toy: Toy, given: dict[str, str] | None
):
    first = toy.start(run="r1", pipeline="library", p_params={"mode": "new"})

    with toy.unchanged(), toy.notices() as said:
        again = toy.start("r1", "library", p_params=given)
    assert again == first | {"is_new": False}
    assert said == []


def test_a_run_that_is_started_again_with_other_parameters_is_refused(toy: Toy):
    toy.start("r1", "library", p_params={"mode": "new"})
    with (
        toy.unchanged(),
        toy.refused("HG021", "'r1' of pipeline library is running", "another run_id"),
    ):
        toy.start("r1", "library", p_params={"mode": "known"})
    toy.finish("r1", "library")

    with toy.unchanged(), toy.refused("HG021", "has ended as succeeded", 'mode is "new"'):
        toy.start("r1", "library", p_params={"mode": "known"})


def test_a_run_that_was_started_without_parameters_is_another_than_one_with_some(toy: Toy):
    toy.start("r1", "library")

    with toy.unchanged(), toy.refused("HG021", 'mode is "auto"'):
        toy.start("r1", "library", p_params={"mode": "known"})


def test_a_run_that_took_an_order_is_the_same_when_it_comes_again_without_parameters(toy: Toy):
    toy.call("trigger_pipeline", p_pipeline="library", p_params={"mode": "new"})
    toy.start("r1", "library")

    with toy.unchanged():
        assert not toy.start("r1", "library")["is_new"]


def test_a_parameter_that_is_new_since_makes_it_no_other_run(toy: Toy):
    toy.start("r1", "library", p_params={"mode": "new"})
    toy.sql("update headgate.process_executions set params = params - 'max_new'")

    assert not toy.start("r1", "library", p_params={"mode": "new"})["is_new"]


def test_a_run_that_has_ended_is_not_started_again_and_says_so_loudly(toy: Toy):
    toy.start()
    toy.later(minutes=5)
    toy.finish()

    with toy.unchanged(), toy.notices() as said:
        again = toy.start()
    assert (again["status"], again["is_new"]) == ("succeeded", False)
    (line,) = said
    assert "'r1' of pipeline plain HAS ALREADY ENDED: succeeded at 2024-03-05 12:05 UTC" in line
    assert "nothing that succeeded is done twice" in line


# ------------------------------------------------------------------- for a past day


def test_a_pipeline_that_knows_no_dates_does_no_work_for_a_day_that_is_past(toy: Toy):
    with (
        toy.unchanged(),
        toy.refused(
            "HG022",
            "plain has no request that names a date: a run for 2024-02-01 would do today's",
            "{run.date}",
        ),
    ):
        toy.start(p_logical_date="2024-02-01", p_is_backfill=True)
    assert toy.start(p_logical_date="2024-02-01")["is_new"]


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("path", "/look/{asset.code}/{run.date}"),
        ("query", {"day": "{run.date?}"}),
        ("headers", {"X-Day": "{run.logical_date}"}),
        ("body", {"days": ["{run.date}"]}),
    ],
)
def test_a_pipeline_whose_requests_name_the_day_may_start_for_a_past_one(
    toy: Toy, column: str, text: object
):
    toy.tune("look", **{column: text})
    with toy.refused("HG022", "aside has no request that names a date"):
        toy.start("r1", "aside", p_logical_date="2024-02-01", p_is_backfill=True)

    assert toy.start(p_logical_date="2024-02-01", p_is_backfill=True)["is_new"]
    assert toy.scalar("select is_backfill from headgate.process_executions")


def test_a_run_s_name_and_start_are_not_a_day(toy: Toy):
    toy.tune("look", query={"id": "{run.id}", "at": "{run.started_at}"})

    with toy.refused("HG022"):
        toy.start(p_logical_date="2024-02-01", p_is_backfill=True)


def test_a_run_for_a_day_needs_the_day(toy: Toy):
    with toy.unchanged(), toy.refused("HG008", "needs p_logical_date"):
        toy.start(p_is_backfill=True)


def test_a_run_for_a_day_that_is_past_takes_no_order(toy: Toy):
    toy.tune("look", query={"day": "{run.date}"})
    toy.call("trigger_pipeline", p_pipeline="plain")
    toy.start(p_logical_date="2024-02-01", p_is_backfill=True)

    assert toy.scalar("select count(*) from headgate.orders where taken_at is null") == 1


def test_a_pipeline_has_one_run_at_a_time(toy: Toy):
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


@pytest.mark.parametrize("run", ["a\n2024 ERROR forged", "\x1b[2J", "a\tb", "a\x7f"])
def test_no_name_writes_lines_of_its_own_into_a_log(toy: Toy, run: str):
    with toy.unchanged(), toy.refused("HG008", "control character"):
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
