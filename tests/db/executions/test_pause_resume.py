"""A paused pipeline keeps its place: nothing of it is sent or claimed until it is resumed."""

from __future__ import annotations

from tests.db.toy import Toy


def pause(toy: Toy) -> tuple[int, int]:
    """Pause the pipeline; return executions and chunks."""
    row = toy.row("pause_pipeline", p_pipeline="plain")
    return row["paused_executions"], row["paused_chunks"]


def resume(toy: Toy) -> tuple[int, int]:
    """Resume the pipeline; return executions and chunks."""
    row = toy.row("resume_pipeline", p_pipeline="plain")
    return row["resumed_executions"], row["sent_chunks"]


def test_messages_leave_the_queue_and_reservations_stay(toy: Toy):
    toy.add(25)
    toy.begin()

    assert pause(toy) == (1, 3)
    assert toy.claim() == []
    assert toy.units() == (25, 0)
    assert toy.execution()["status"] == "paused"
    assert {x["state"] for x in toy.chunks()} == {"planned"}


def test_a_paused_run_continues_where_it_stood(toy: Toy):
    toy.add(25)
    toy.add(3, "B")
    toy.begin()
    toy.complete(toy.claim()[0])
    pause(toy)

    assert resume(toy) == (1, 2)
    toy.drain()
    assert toy.step()["status"] == "succeeded"
    assert toy.step("b")["status"] == "pending"
    assert toy.units() == (3, 25)


def test_a_second_call_changes_nothing(toy: Toy):
    toy.add(3)
    toy.begin()
    pause(toy)

    with toy.unchanged():
        assert pause(toy) == (0, 0)
    resume(toy)
    with toy.unchanged():
        assert resume(toy) == (0, 0)


def test_calls_under_way_end(toy: Toy):
    toy.add(3)
    toy.begin()
    (chunk,) = toy.claim()

    assert pause(toy) == (1, 0)
    toy.complete(chunk)
    assert toy.step()["status"] == "succeeded"
    assert toy.execution()["status"] == "paused"


def test_a_retry_during_the_pause_waits_for_its_end(toy: Toy):
    toy.add(3)
    toy.begin()
    (chunk,) = toy.claim()
    pause(toy)
    toy.complete(chunk, "retry", fault="provider")
    toy.later(minutes=10)

    assert toy.claim() == []
    assert toy.step()["parked"] == 3
    resume(toy)
    assert toy.drain() == 3


def test_a_lease_that_runs_out_during_the_pause_waits_for_its_end(toy: Toy):
    toy.add(3)
    toy.begin()
    (chunk,) = toy.claim()
    pause(toy)
    toy.expire(chunk)

    assert toy.claim("w2") == []
    assert toy.units() == (0, 3)
    assert toy.chunks()[0]["state"] == "leased", "who cancels it relies on that"
    resume(toy)
    toy.expire(chunk)  # its message is read again every five seconds
    (again,) = toy.claim("w2")
    assert again["lease_no"] > chunk["lease_no"]
    assert toy.units() == (0, 6)
    toy.complete(again, runner="w2")
    assert {x["units"] for x in toy.details()} == {2}


def test_a_lease_released_during_the_pause_waits_for_its_end(toy: Toy):
    toy.add(3)
    toy.begin()
    (chunk,) = toy.claim()
    pause(toy)
    toy.call(
        "release_jobs",
        p_runner="w1",
        p_chunk_ids=[chunk["chunk_id"]],
        p_lease_nos=[chunk["lease_no"]],
    )

    assert toy.claim() == []
    assert toy.units() == (3, 0)
    assert resume(toy) == (1, 1)
    assert toy.drain() == 3


def test_parked_jobs_keep_their_place_and_are_sent_at_the_end(toy: Toy):
    toy.add(3)
    toy.begin()
    toy.complete(toy.claim()[0], "retry", fault="provider")

    assert pause(toy) == (1, 1)
    assert resume(toy) == (1, 1)
    assert toy.drain() == 3


def test_a_pause_over_midnight_reserves_again(toy: Toy):
    toy.add(3)
    toy.begin()
    pause(toy)
    toy.later(hours=20)

    resume(toy)
    assert toy.units() == (3, 0)
    assert toy.scalar("select sum(reserved) from headgate.quota_windows") == 3


def test_other_pipelines_continue(toy: Toy):
    toy.add(3)
    toy.add(2, "O", "others")
    toy.start("r1", "aside")
    toy.enqueue("all", "r1", "aside")
    toy.begin()
    pause(toy)

    assert toy.drain() == 2


def test_nothing_of_a_paused_pipeline_is_advanced(toy: Toy):
    toy.add(3)
    toy.call("run_pipeline", p_pipeline="plain", p_run_id="r1")
    pause(toy)
    assert toy.claim() == []
    resume(toy)

    assert toy.drain() == 3
    assert toy.execution()["status"] == "succeeded"


def test_an_unknown_pipeline_is_refused(toy: Toy):
    with toy.refused("HG001"):
        toy.call("pause_pipeline", p_pipeline="x")
    with toy.refused("HG001"):
        toy.call("resume_pipeline", p_pipeline="x")
