"""A cancelled run starts nothing more; calls in flight keep their effect."""

from __future__ import annotations

from tests.db.toy import Toy


def cancel(toy: Toy) -> int:
    """Cancel r1; return the number of cancelled jobs."""
    return int(toy.value("cancel_execution", p_pipeline="plain", p_run_id="r1"))


def test_jobs_that_have_not_started_are_cancelled_and_return_their_units(toy: Toy):
    toy.add(25)
    toy.begin()

    assert cancel(toy) == 25
    assert toy.units() == (0, 0)
    assert toy.endings() == {"cancelled": 25}
    status = toy.execution()
    assert (status["status"], status["planned"], status["skipped"]) == ("cancelled", 25, 25)
    assert toy.step()["status"] == "cancelled"


def test_parked_jobs_are_cancelled_too(toy: Toy):
    toy.add(3)
    toy.begin()
    toy.complete(toy.claim()[0], "retry", fault="provider")

    assert cancel(toy) == 3
    assert toy.units() == (0, 3)


def test_calls_under_way_end_by_themselves(toy: Toy):
    assets = toy.add(13)
    toy.begin()
    (chunk,) = toy.claim()
    size = len(chunk["asset_ids"])

    assert cancel(toy) == 13 - size
    toy.complete(chunk)
    assert toy.endings() == {"cancelled": 13 - size, "success": size}
    assert {toy.state(x)["chunk_id"] for x in assets} == {None}


def test_a_job_under_way_that_would_be_repeated_ends_instead(toy: Toy):
    toy.add(3)
    toy.begin()
    (chunk,) = toy.claim()
    cancel(toy)
    one, two, three = chunk["asset_ids"]
    toy.complete(chunk, "retry", [one], fault="provider")
    toy.complete(chunk, "retry", [two])
    toy.complete(chunk, "unsent", [three])

    assert toy.endings() == {"cancelled": 1, "deferred": 2}
    assert toy.units() == (0, 2)


def test_a_lease_that_runs_out_is_not_given_again(toy: Toy):
    assets = toy.add(3)
    toy.begin()
    (chunk,) = toy.claim()
    cancel(toy)
    toy.expire(chunk)

    assert toy.claim("w2") == []
    assert toy.endings() == {"cancelled": 3}
    assert toy.units() == (0, 3)
    assert toy.state(assets[0])["chunk_id"] is None


def test_a_lease_that_is_released_ends_cancelled(toy: Toy):
    toy.add(3)
    toy.begin()
    (chunk,) = toy.claim()
    cancel(toy)
    toy.call(
        "release_jobs",
        p_runner="w1",
        p_chunk_ids=[chunk["chunk_id"]],
        p_lease_nos=[chunk["lease_no"]],
    )

    assert toy.endings() == {"cancelled": 3}
    assert toy.units() == (0, 0)


def test_cancelled_pairs_are_due_in_the_next_run(toy: Toy):
    toy.add(3)
    toy.begin()
    cancel(toy)

    assert toy.begin(run="r2")[0]["planned"] == 3


def test_a_second_call_changes_nothing(toy: Toy):
    toy.add(3)
    toy.begin()
    cancel(toy)

    with toy.unchanged():
        assert cancel(toy) == 0


def test_ended_jobs_are_not_cancelled(toy: Toy):
    toy.start()
    toy.finish()

    with toy.unchanged():
        assert cancel(toy) == 0


def test_a_paused_execution_can_be_cancelled(toy: Toy):
    toy.add(3)
    toy.begin()
    toy.call("pause_pipeline", p_pipeline="plain")

    assert cancel(toy) == 3


def test_an_unknown_execution_is_refused(toy: Toy):
    with toy.refused("HG002"):
        cancel(toy)
