"""Errors of a step, for the log of its waiting task."""

from __future__ import annotations

from tests.db.toy import Toy


def errors(toy: Toy, **more: int) -> list[dict[str, object]]:
    return toy.call("step_errors", p_pipeline="plain", p_run_id="r1", p_step="a", **more)


def test_failed_jobs_come_first_with_their_error(toy: Toy):
    toy.add(3)
    toy.begin()
    (chunk,) = toy.claim()
    first, second, third = chunk["asset_ids"]
    toy.complete(chunk, "success", [first])
    toy.complete(chunk, "deferred", [second], fault="internal")
    toy.complete(chunk, "failed", [third])

    assert [x["status"] for x in errors(toy)] == ["failed", "deferred"]
    assert all(x["error"] and x["asset"] and x["operation"] for x in errors(toy))
    assert len(errors(toy, p_limit=1)) == 1


def test_a_deferral_for_quota_alone_is_not_an_error(toy: Toy):
    toy.add(1)
    toy.begin()
    (chunk,) = toy.claim()
    toy.complete(chunk, "deferred", fault="quota")

    assert errors(toy) == []


def test_an_unknown_run_is_refused(toy: Toy):
    with toy.refused("HG002"):
        errors(toy)
