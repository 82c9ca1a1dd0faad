"""The cheapest combination of bulk and single calls, compared with all possible ones."""

from __future__ import annotations

from itertools import combinations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.db.toy import Toy
from tests.planner.world import arrange, loaded

DAYS = ["2024-02-27", "2024-02-28", "2024-02-29", "2024-03-01", "2024-03-04"]
"""The last five sessions at noon of 2024-03-05."""
BEFORE = ["2024-02-26", *DAYS]


def cheapest(counts: list[int], call_units: int) -> int:
    """Try every set of sessions; counts[n] books miss the last n sessions."""
    best = None
    for many in range(len(DAYS) + 1):
        for called in combinations(DAYS, many):
            alone = sum(
                count
                for missed, count in enumerate(counts)
                if missed and not set(DAYS[-missed:]) <= set(called)
            )
            cost = call_units * many + alone
            best = cost if best is None else min(best, cost)
    assert best is not None
    return best


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(counts=st.lists(st.integers(0, 9), min_size=6, max_size=6), call_units=st.integers(1, 12))
def test_no_other_choice_of_calls_is_cheaper(toy: Toy, counts: list[int], call_units: int):
    toy.sql("savepoint example")
    try:
        arrange(toy, call_units=call_units)
        toy.provider(quota=1_000)
        for missed, count in enumerate(counts):
            if count:
                loaded(toy, count, "W", BEFORE[len(DAYS) - missed], first=100 * missed)

        rows = toy.call("explain_plan", p_pipeline="library")
        assert len(rows) == sum(counts[1:])
        assert sum(x["units"] for x in rows) == cheapest(counts, call_units)
    finally:
        toy.sql("rollback to savepoint example")
