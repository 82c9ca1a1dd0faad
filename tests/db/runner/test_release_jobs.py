"""Releasing chunks whose remaining jobs were not started."""

from __future__ import annotations

from typing import Any

from tests.db.toy import Toy
from tests.plan import Row


def release(toy: Toy, *chunks: Row, runner: str = "w1") -> list[Row]:
    """Release these chunks."""
    arguments: dict[str, Any] = {
        "p_chunk_ids": [x["chunk_id"] for x in chunks],
        "p_lease_nos": [x["lease_no"] for x in chunks],
    }
    return toy.call("release_jobs", p_runner=runner, **arguments)


def test_the_jobs_are_queued_again_and_their_units_reserved(toy: Toy):
    toy.add(10)
    toy.begin()
    (chunk,) = toy.claim()
    toy.complete(chunk, "success", chunk["asset_ids"][:4])

    assert release(toy, chunk) == [{"chunk_id": chunk["chunk_id"], "released": 6}]
    assert toy.units() == (6, 4)
    (again,) = toy.claim("w2")
    assert (again["lease_no"], again["asset_ids"]) == (2, chunk["asset_ids"][4:])
    toy.complete(again, runner="w2")
    assert {x["units"] for x in toy.details()} == {1}


def test_a_release_is_not_an_expiration(toy: Toy):
    toy.add(3)
    toy.begin()
    for _ in range(4):
        release(toy, *toy.claim())

    assert len(toy.claim()[0]["asset_ids"]) == 3
    assert toy.units() == (0, 3)


def test_a_second_call_changes_nothing(toy: Toy):
    toy.add(3)
    toy.begin()
    (chunk,) = toy.claim()
    release(toy, chunk)

    with toy.unchanged():
        assert release(toy, chunk) == []


def test_leases_of_others_are_not_released(toy: Toy):
    toy.add(3)
    toy.begin()
    (chunk,) = toy.claim()

    with toy.unchanged():
        assert release(toy, chunk, runner="w2") == []
        assert release(toy, chunk | {"lease_no": 2}, chunk | {"chunk_id": 0}) == []


def test_a_late_release_gives_no_units_back(toy: Toy):
    (asset,) = toy.add(1)
    toy.begin()
    (chunk,) = toy.claim()
    toy.expire(chunk)
    release(toy, chunk)

    assert toy.units() == (0, 1)
    toy.drain()
    assert toy.units() == (0, 2)
    assert toy.details(asset)[0]["units"] == 2


def test_a_release_after_midnight_is_charged_to_the_new_day(toy: Toy):
    toy.add(3)
    toy.begin()
    (chunk,) = toy.claim()
    toy.later(hours=13)
    release(toy, chunk)
    toy.drain()

    assert toy.sql("select reserved, spent from headgate.quota_windows order by opened_at") == [
        {"reserved": 0, "spent": 0}, {"reserved": 0, "spent": 3},
    ]  # fmt: skip
