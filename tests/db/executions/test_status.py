"""Status of a step and of an execution, in jobs; the status functions also sweep."""

from __future__ import annotations

from datetime import timedelta

from tests.db.toy import Toy


def test_the_status_counts_jobs_not_chunks(toy: Toy):
    toy.add(38)
    toy.add(5, "B")
    toy.begin()
    chunks = sorted(toy.claim(chunks=3), key=lambda x: x["chunk_id"])
    toy.complete(chunks[0], "success", chunks[0]["asset_ids"][:4])
    toy.complete(chunks[0], "failed", chunks[0]["asset_ids"][4:5])
    toy.complete(chunks[1], "retry", fault="provider")

    assert toy.step() == {
        "step": "a", "status": "running", "planned": 38, "queued": 8, "running": 15, "parked": 10,
        "succeeded": 4, "failed": 1, "deferred": 0, "skipped": 0,
        "next_wake_at": toy.chunks("parked")[0]["wake_at"],
    }  # fmt: skip
    whole = toy.execution()
    assert (whole["planned"], whole["queued"], whole["running"]) == (43, 13, 15)


def test_planned_but_unsent_jobs_count_as_queued(toy: Toy):
    toy.add(3)
    toy.start()
    toy.check()

    assert (toy.step()["status"], toy.step()["queued"]) == ("pending", 3)


def test_asking_for_one_step_s_status_sends_what_is_due_to_be_sent(toy: Toy):
    toy.add(3)
    toy.begin()
    toy.complete(toy.claim()[0], "retry", fault="provider")
    toy.later(minutes=1)

    step = toy.step()
    assert (step["queued"], step["parked"]) == (3, 0)


def test_asking_for_the_execution_s_status_sweeps_too(toy: Toy):
    toy.add(3)
    toy.begin()
    toy.complete(toy.claim()[0], "retry", fault="provider")
    toy.later(minutes=1)

    assert toy.execution()["queued"] == 3


def test_the_status_tells_when_the_next_parked_job_wakes(toy: Toy):
    toy.add(3)
    toy.begin()
    block = {"until": "retry_after", "seconds": 90}
    toy.complete(toy.claim()[0], "retry", fault="quota", block=block)

    wake = toy.execution()["next_wake_at"]
    assert timedelta(seconds=90) <= wake - toy.now


def test_once_a_step_has_ended_planned_is_the_sum(toy: Toy):
    toy.add(25)
    toy.add(5, "B")
    toy.begin()
    toy.complete(toy.claim()[0])
    toy.call("skip_step", p_pipeline="plain", p_run_id="r1", p_step="b")
    final = toy.finish()

    assert (
        final["planned"]
        == 30
        == sum(final[x] for x in ("succeeded", "failed", "deferred", "skipped"))
    )
    status = toy.execution()
    assert {x: final[x] for x in ("status", "planned", "succeeded")} == {
        x: status[x] for x in ("status", "planned", "succeeded")
    }


def test_unknown_names_are_refused(toy: Toy):
    toy.start()

    with toy.refused("HG003", "unknown step: 'z'"):
        toy.step("z")
    with toy.refused("HG002"):
        toy.execution("r2")
    with toy.refused("HG001"):
        toy.step("a", pipeline="x")
