"""v_wanted_runners says how many runners ready work can use, for an autoscaler."""

from __future__ import annotations

from typing import Any

import pytest

from tests.db.toy import Toy


@pytest.fixture
def busy(toy: Toy) -> Toy:
    """A hundred ready jobs of 30 seconds each, which one runner calls one by one."""
    toy.sql("update headgate.settings set value = '1' where name = 'calls_per_runner'")
    toy.sql(
        """
        insert into headgate.job_counts (operation_id, status, jobs, duration_ms)
        select o.operation_id, 'success', 10, 300000 from headgate.operations as o where o.name = 'look'
        """
    )
    toy.add(100)
    toy.begin()
    return toy


def wanted(toy: Toy) -> tuple[int, bool]:
    (row,) = toy.sql("select wanted, is_limited from headgate.v_wanted_runners")
    return row["wanted"], row["is_limited"]


def test_without_ready_work_no_runner_is_wanted(toy: Toy):
    assert wanted(toy) == (0, False)


def test_as_many_runners_are_wanted_as_do_the_work_within_the_setting(busy: Toy):
    assert wanted(busy) == (5, False)

    busy.sql("update headgate.settings set value = '\"50 minutes\"' where name = 'work_off_within'")
    assert wanted(busy) == (1, False)


def test_a_nearer_deadline_wants_more_runners(busy: Toy):
    busy.sql(
        "update headgate.process_executions set deadline_at = headgate.clock() + interval '150 seconds'"
    )

    assert wanted(busy) == (20, False)


@pytest.mark.parametrize(
    ("limit", "found"),
    [
        ("update headgate.providers set requests_per_minute = 4", (2, True)),
        ("update headgate.providers set max_in_flight = 3", (3, True)),
        ("update headgate.chunks set pool = 'desks', pool_slots = 2", (4, True)),
        ("update headgate.process_executions set status = 'paused'", (0, False)),
    ],
)
def test_no_more_runners_are_wanted_than_limits_let_work(
    busy: Toy, limit: str, found: tuple[Any, ...]
):
    busy.sql("insert into headgate.pools (name, slots) values ('desks', 8)")
    busy.sql(limit)

    assert wanted(busy) == found


def test_behind_a_breaker_that_is_open_no_runner_is_wanted(busy: Toy):
    (chunk,) = busy.claim()
    busy.complete(chunk, "retry", fault="provider")

    assert wanted(busy)[0] == 0


def test_work_whose_time_is_unknown_wants_one_runner(toy: Toy):
    toy.add(1)
    toy.begin()

    assert wanted(toy) == (1, False)
