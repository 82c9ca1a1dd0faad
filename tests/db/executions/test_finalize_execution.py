"""Finalizing an execution without waiting for other sessions."""

from __future__ import annotations

from datetime import timedelta

from tests.db.toy import Toy


def test_jobs_that_have_not_started_end_deferred_and_return_their_units(toy: Toy):
    toy.add(25)
    toy.begin()
    toy.complete(toy.claim()[0])
    toy.later(minutes=3)
    spent = toy.units()[1]

    assert toy.finish() == {
        "status": "succeeded", "planned": 25, "succeeded": spent, "failed": 0,
        "deferred": 25 - spent, "skipped": 0, "units": spent, "duration": timedelta(minutes=3),
    }  # fmt: skip
    assert toy.units() == (0, spent)
    assert toy.chunks() == []


def test_planned_but_never_sent_ends_deferred(toy: Toy):
    assets = toy.add(3)
    toy.start()
    toy.check()

    assert toy.finish()["deferred"] == 3
    assert toy.units() == (0, 0)
    assert toy.state(assets[0])["next_due_at"] is not None


def test_parked_jobs_end_deferred(toy: Toy):
    toy.add(3)
    toy.begin()
    toy.complete(toy.claim()[0], "retry", fault="provider")

    assert toy.finish()["deferred"] == 3
    assert toy.units() == (0, 3)


def test_a_lease_is_lost_and_its_units_stay_spent(toy: Toy):
    toy.add(3)
    toy.begin()
    (chunk,) = toy.claim()

    assert toy.finish()["deferred"] == 3
    assert toy.units() == (0, 3)
    with toy.unchanged(), toy.refused("HG012"):
        toy.complete(chunk)


def test_deferred_pairs_are_due_in_the_next_run(toy: Toy):
    toy.add(3)
    toy.begin()
    toy.finish()

    assert toy.begin(run="r2")[0]["planned"] == 3


def test_a_second_call_changes_nothing(toy: Toy):
    toy.add(3)
    toy.begin()
    first = toy.finish()
    toy.later(hours=1)

    with toy.unchanged():
        assert toy.finish() == first


def test_an_execution_whose_jobs_failed_ends_failed_and_raises_nothing(toy: Toy):
    toy.add(3)
    toy.begin()
    toy.drain(outcome="failed")

    assert toy.finish()["status"] == "failed"


def test_steps_that_never_ran_are_skipped(toy: Toy):
    toy.start()
    toy.finish()

    rows = toy.sql("select step, status from headgate.process_steps order by position")
    assert [x["status"] for x in rows] == [
        "succeeded",
        "skipped",
        "skipped",
        "skipped",
        "succeeded",
    ]


def test_a_paused_execution_can_be_finalized(toy: Toy):
    toy.add(3)
    toy.begin()
    toy.call("pause_pipeline", p_pipeline="plain")

    assert toy.finish()["status"] == "succeeded"
    assert toy.units() == (0, 0)


def test_a_cancelled_execution_stays_cancelled(toy: Toy):
    toy.start()
    toy.call("cancel_execution", p_pipeline="plain", p_run_id="r1")

    with toy.unchanged():
        assert toy.finish()["status"] == "cancelled"


def test_an_unknown_execution_is_refused(toy: Toy):
    with toy.refused("HG002"):
        toy.finish()
