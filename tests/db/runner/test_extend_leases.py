"""Extending leases by another term."""

from __future__ import annotations

from typing import Any

from tests.db.toy import Toy
from tests.limits import PATIENCE
from tests.plan import Row

DAY = 86_400


def extend(toy: Toy, *chunks: Row, runner: str = "w1") -> list[Row]:
    """Extend these leases."""
    arguments: dict[str, Any] = {
        "p_chunk_ids": [x["chunk_id"] for x in chunks],
        "p_lease_nos": [x["lease_no"] for x in chunks],
    }
    return toy.call("extend_leases", p_runner=runner, **arguments)


def test_an_extended_lease_runs_for_another_term(toy: Toy):
    toy.tune(lease="1 day")
    toy.add(20)
    toy.begin()
    first, second = toy.claim(chunks=2)
    toy.sql("update headgate.chunks set leased_until = clock_timestamp() + interval '9 seconds'")

    rows = extend(toy, second, first)
    assert {x["chunk_id"] for x in rows} == {first["chunk_id"], second["chunk_id"]}
    assert {x["lease_no"] for x in rows} == {1}
    assert all(DAY - PATIENCE < x["lease_seconds"] <= DAY for x in rows)
    assert toy.ask()[0]["lease_seconds"] > DAY - PATIENCE


def test_a_lease_that_ran_out_is_kept_as_long_as_nobody_else_has_it(toy: Toy):
    toy.add(3)
    toy.begin()
    (chunk,) = toy.claim()
    toy.expire(chunk)

    assert len(extend(toy, chunk)) == 1
    assert toy.claim("w2") == []
    toy.complete(chunk)


def test_a_lost_lease_is_missing_in_the_answer_and_stays_lost(toy: Toy):
    toy.add(20)
    toy.begin()
    lost, kept = toy.claim(chunks=2)
    toy.expire(lost)
    toy.claim("w2")

    assert [x["chunk_id"] for x in extend(toy, lost, kept)] == [kept["chunk_id"]]
    with toy.unchanged():
        assert extend(toy, lost) == []


def test_leases_of_others_are_not_extended(toy: Toy):
    toy.add(3)
    toy.begin()
    (chunk,) = toy.claim()

    with toy.unchanged():
        assert extend(toy, chunk, runner="w2") == []
        assert extend(toy, chunk | {"lease_no": 7}, chunk | {"chunk_id": 0}) == []
        assert extend(toy) == []


def test_a_finalized_or_released_lease_is_lost(toy: Toy):
    toy.add(3)
    toy.begin()
    (chunk,) = toy.claim()
    toy.finish()

    assert extend(toy, chunk) == []
