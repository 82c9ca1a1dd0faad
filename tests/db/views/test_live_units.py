"""While a run is in progress, the views count its units as they are spent, in agreement with the window."""

from __future__ import annotations

import pytest

from tests.db.toy import Toy

RUN = "select units from headgate.v_recent_executions where run_id = 'r1'"
STEP = "select units from headgate.v_execution_steps where run_id = 'r1' and step = 'a'"


def spent(toy: Toy) -> int:
    """Return the units spent according to the views, which must equal the window's."""
    units = {toy.scalar(RUN), toy.scalar(STEP), toy.units()[1]}
    assert len(units) == 1, units
    return int(units.pop())


@pytest.mark.parametrize("fault", ["item", "provider"])
def test_units_are_counted_when_a_lease_is_given_and_stay_when_it_is_retried(toy: Toy, fault: str):
    toy.add(30)
    toy.begin()
    assert spent(toy) == 0

    first, second = toy.claim(chunks=2)
    jobs = len(first["asset_ids"] + second["asset_ids"])
    assert spent(toy) == jobs

    toy.complete(first, assets=first["asset_ids"][:1])
    toy.complete(first, "unsent", assets=first["asset_ids"][1:2])
    toy.complete(second, "retry", fault=fault)
    assert spent(toy) == jobs - 1

    toy.later(minutes=1)
    toy.drain()
    assert toy.finish()["units"] == spent(toy)


def test_a_lease_that_ran_out_and_was_taken_over_counts_twice(toy: Toy):
    toy.add(4)
    toy.begin()
    (chunk,) = toy.claim()
    toy.expire(chunk)
    (again,) = toy.claim("w2")

    assert spent(toy) == 2 * len(again["asset_ids"])
