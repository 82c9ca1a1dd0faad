"""Further start times for calls whose own times have passed (take_starts.sql)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.db.toy import Toy


@pytest.fixture
def token(toy: Toy) -> dict[str, Any]:
    """Lease a chunk of ten calls, forty a minute; return the arguments that request more times."""
    toy.provider(requests_per_minute=40)
    toy.add(15)
    toy.begin()
    (chunk,) = toy.claim()
    return {"p_runner": "w1", "p_chunk_id": chunk["chunk_id"], "p_lease_no": 1}


def test_new_times_come_after_all_that_were_granted(toy: Toy, token: dict[str, Any]):
    first = toy.row("take_starts", **token, p_calls=4)
    assert first["start_in"] == pytest.approx(15.3)
    assert (first["every"], first["burst"]) == (pytest.approx(1.53), 1)
    real = toy.scalar("select extract(epoch from clock_timestamp())::float8")
    assert first["asked_at"] == pytest.approx(real, abs=600)
    toy.later(minutes=1)
    first, second = (toy.row("take_starts", **token, p_calls=4)["start_in"] for _ in range(2))
    assert (first, second) == (0, pytest.approx(4 * 1.53))


def test_no_more_times_are_granted_than_the_chunk_has_calls(toy: Toy, token: dict[str, Any]):
    toy.later(minutes=1)
    toy.row("take_starts", **token, p_calls=1_000_000)

    assert toy.row("take_starts", **token, p_calls=-5)["start_in"] == pytest.approx(10 * 1.53)


def test_a_runner_that_has_lost_the_lease_gets_no_times(toy: Toy, token: dict[str, Any]):
    with toy.unchanged(), toy.refused("HG012"):
        toy.row("take_starts", **token | {"p_lease_no": 0}, p_calls=1)


def test_a_limit_that_is_gone_holds_nobody(toy: Toy, token: dict[str, Any]):
    toy.provider(requests_per_minute=None)

    row = toy.row("take_starts", **token, p_calls=3)
    assert (row["start_in"], row["every"], row["burst"]) == (0, 0, 1)
