"""Chunks with which nothing was to be done are handed in together, as if each were alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.db.toy import Toy
from tests.plan import Row


@pytest.fixture
def chunks(toy: Toy) -> list[Row]:
    """Three chunks of two jobs each, claimed; two more wait."""
    toy.tune(path=None, ingest_function=None, units=0, chunk_size=2)
    toy.add(10)
    toy.begin()
    return toy.claim(chunks=3)


def together(toy: Toy, chunks: list[Row], *, runner: str = "w1", **more: Any) -> list[Row]:
    """Hand them in at once."""
    return toy.call(
        "complete_chunks",
        p_runner=runner,
        p_chunk_ids=[x["chunk_id"] for x in chunks],
        p_lease_nos=[x["lease_no"] for x in chunks],
        **more,
    )


def alone(toy: Toy, chunk: Row) -> None:
    """Hand one in as a runner does that has nothing else."""
    toy.call(
        "complete_jobs",
        p_runner="w1",
        p_chunk_id=chunk["chunk_id"],
        p_lease_no=chunk["lease_no"],
        p_asset_ids=chunk["asset_ids"],
        p_outcomes=["success"] * len(chunk["asset_ids"]),
    )


def test_they_leave_the_rows_that_each_alone_would_leave(toy: Toy, chunks: list[Row]):
    ask_again(toy, chunks[1]["asset_ids"][0])
    with toy.connection.transaction(force_rollback=True):
        for chunk in chunks:
            alone(toy, chunk)
        expected = toy.snapshot()

    assert together(toy, chunks) == []

    assert toy.snapshot() == expected
    assert toy.endings() == {"success": 6}


def test_a_pair_that_was_asked_for_again_stays_due(toy: Toy, chunks: list[Row]):
    asked, other = chunks[1]["asset_ids"]
    ask_again(toy, asked)

    together(toy, chunks)

    assert toy.state(asked)["next_due_at"] <= toy.now
    assert toy.state(other)["next_due_at"] == toy.now + timedelta(days=1)


def ask_again(toy: Toy, asset_id: int) -> None:
    """Let somebody ask for a pair while its chunk is out."""
    toy.later(minutes=1)
    toy.call("reset_asset", p_asset_id=asset_id)
    toy.later(minutes=1)


def test_the_next_ones_come_with_their_completion(toy: Toy, chunks: list[Row]):
    following = together(toy, chunks, p_claim=5)

    assert [len(x["asset_ids"]) for x in following] == [2, 2]
    assert {x["lease_no"] for x in following} == {1}
    assert toy.step()["running"] == 4
    assert together(toy, following, p_claim=5) == []
    assert toy.step()["status"] == "succeeded"


def test_the_last_of_them_end_their_step(toy: Toy, chunks: list[Row]):
    together(toy, chunks + toy.claim(chunks=5))

    assert toy.step()["status"] == "succeeded"
    assert toy.finish()["succeeded"] == 10


def test_one_outdated_token_changes_nothing_for_any(toy: Toy, chunks: list[Row]):
    toy.expire(chunks[1])
    toy.claim("w2")

    with toy.unchanged(), toy.refused("HG012", "1 of 3 chunks", "alone"):
        together(toy, chunks)
    together(toy, [chunks[0], chunks[2]])
    assert toy.endings() == {"success": 4}


@pytest.mark.parametrize(
    "tokens",
    [
        {"p_chunk_ids": [], "p_lease_nos": []},
        {"p_chunk_ids": None, "p_lease_nos": None},
        {"p_chunk_ids": [1], "p_lease_nos": []},
    ],
)
def test_no_token_holds_nothing(toy: Toy, chunks: list[Row], tokens: dict[str, Any]):
    if tokens["p_chunk_ids"]:
        tokens = tokens | {"p_chunk_ids": [chunks[0]["chunk_id"]]}
    with toy.unchanged(), toy.refused("HG012"):
        toy.call("complete_chunks", p_runner="w1", **tokens)


def test_a_chunk_counts_once(toy: Toy, chunks: list[Row]):
    with toy.unchanged(), toy.refused("HG012"):
        together(toy, [chunks[0], chunks[0]])


def test_another_runner_holds_none_of_them(toy: Toy, chunks: list[Row]):
    with toy.unchanged(), toy.refused("HG012", "not held by w2"):
        together(toy, chunks, runner="w2")


def test_work_that_has_calls_is_reported_job_by_job(toy: Toy):
    toy.tune(chunk_size=2)
    toy.add(4)
    toy.begin()
    claimed = toy.claim(chunks=2)

    with toy.unchanged(), toy.refused("HG008", "alone"):
        together(toy, claimed)


def test_what_is_to_be_ingested_is_reported_job_by_job(toy: Toy):
    toy.tune(chunk_size=2, path=None, units=0)
    toy.add(4)
    toy.begin()
    claimed = toy.claim(chunks=2)

    assert [x["call"] for x in claimed] == [{}, {}]
    with toy.unchanged(), toy.refused("HG008", "look", "complete_jobs"):
        together(toy, claimed)


def test_chunks_of_two_steps_do_not_go_together(toy: Toy):
    toy.tune(path=None, ingest_function=None, units=0)
    toy.add(2)
    toy.add(2, "B")
    toy.begin("a", "b")
    claimed = toy.claim(chunks=2)

    assert {x["step"] for x in claimed} == {"a", "b"}
    with toy.unchanged(), toy.refused("HG008", "together"):
        together(toy, claimed)


def test_a_lease_that_ran_out_and_is_nobody_elses_still_counts(toy: Toy, chunks: list[Row]):
    toy.expire(chunks[0])

    assert together(toy, chunks, p_claim=1) == []  # who was late asks again by itself
    assert toy.endings() == {"success": 6}
