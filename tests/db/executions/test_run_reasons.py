"""Why jobs of a run did not succeed, counted by reason."""

from __future__ import annotations

from typing import Any

from tests.db.toy import Toy


def reasons(toy: Toy, run: str = "r1", pipeline: str = "plain", **more: int) -> list[Any]:
    rows = toy.call("run_reasons", p_pipeline=pipeline, p_run_id=run, **more)
    return [(x["status"], x["error"], x["jobs"], x["example"]) for x in rows]


def test_failures_and_deferrals_come_first_by_their_number_then_skips(toy: Toy):
    toy.add(6)
    toy.begin()
    (chunk,) = toy.claim()
    one, two, three, four, five, six = chunk["asset_ids"]
    toy.complete(chunk, "skipped", [one, two, three])
    toy.complete(chunk, "failed", [four])
    toy.complete(chunk, "deferred", [five, six], fault="internal")

    found = reasons(toy)
    assert [(status, jobs, example) for status, _, jobs, example in found] == [
        ("deferred", 2, "A4"),
        ("failed", 1, "A3"),
        ("skipped", 3, "A0"),
    ]
    assert all(error for _, error, _, _ in found)


def test_each_kind_has_its_own_limit(toy: Toy):
    toy.add(3)
    toy.begin()
    (chunk,) = toy.claim()
    for asset, outcome in zip(chunk["asset_ids"], ("failed", "deferred", "skipped"), strict=True):
        toy.complete(chunk, outcome, [asset])

    assert [status for status, *_ in reasons(toy, p_limit=1)] == ["failed", "skipped"]


def test_a_run_of_the_same_name_of_another_pipeline_counts_for_itself(toy: Toy):
    toy.add(1)
    toy.add(1, "W", "books")
    toy.begin()
    toy.drain(outcome="failed")
    toy.begin("west", pipeline="library")
    toy.drain(outcome="skipped")

    assert [status for status, *_ in reasons(toy)] == ["failed"]
    assert "failed" not in [status for status, *_ in reasons(toy, pipeline="library")]


def test_an_unknown_run_is_refused(toy: Toy):
    with toy.refused("HG002"):
        reasons(toy, "r9")
