"""Airflow's reports on the function steps that it has called."""

from __future__ import annotations

from typing import Any

from tests.db.toy import Toy


def report(toy: Toy, step: str = "quota", status: str = "succeeded", **more: Any) -> list[Any]:
    return toy.call(
        "report_step", p_pipeline="plain", p_run_id="r1", p_step=step, p_status=status, **more
    )


def steps(toy: Toy) -> dict[str, str]:
    rows = toy.sql("select step, status from headgate.v_execution_steps where pipeline = 'plain'")
    return {x["step"]: x["status"] for x in rows}


def test_a_reported_step_has_ended_and_keeps_what_it_returned(toy: Toy):
    toy.start()

    assert report(toy, p_output={"due": 3}) == [{"step": "quota", "status": "succeeded"}]

    assert steps(toy)["quota"] == "succeeded"
    output = toy.scalar("select output from headgate.process_steps where step = 'quota'")
    assert output == {"due": 3}


def test_a_step_reported_as_failed_fails_its_execution(toy: Toy):
    toy.start()
    report(toy, status="failed")

    assert toy.finish()["status"] == "failed"


def test_a_try_that_went_well_makes_up_for_the_one_before(toy: Toy):
    toy.start()
    report(toy, status="failed")
    report(toy)

    assert toy.finish()["status"] == "succeeded"


def test_a_step_of_jobs_is_not_for_others_to_report(toy: Toy):
    toy.add(1)
    toy.begin()

    assert report(toy, "a") == []
    assert steps(toy)["a"] == "running"
    toy.drain()


def test_steps_unknown_to_the_plan_are_ignored(toy: Toy):
    assert report(toy) == []
    toy.start()
    assert report(toy, "tea") == []


def test_an_ended_execution_and_one_of_headgates_own_driver_stay_as_they_are(toy: Toy):
    toy.start()
    toy.finish()
    assert report(toy, status="failed") == []

    toy.start("r2", p_driver="headgate")
    rows = toy.call(
        "report_step", p_pipeline="plain", p_run_id="r2", p_step="quota", p_status="failed"
    )
    assert rows == []


def test_no_other_status_can_be_reported(toy: Toy):
    toy.start()
    with toy.refused("HG008", "skipped"):
        report(toy, status="skipped")
