"""Quick chunks without calls are handed in together, slow ones one by one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from headgate.worker.endings import MAX_TOGETHER, MOMENT, Endings
from headgate.worker.reports import UniformReport
from tests.runner.worker.parts import chunk_of

QUICK = UniformReport([1], "success")


def waiting(count: int, connections: int = 2) -> Endings:
    """Let so many chunks wait."""
    endings = Endings(connections)
    for number in range(count):
        endings.add(chunk_of(chunk_id=number), QUICK)
    return endings


def taken(endings: Endings) -> list[int]:
    """Return the ids of the chunks that are handed in next."""
    return [x.chunk.chunk_id for x in endings.begin()]


def learn(endings: Endings, seconds: float) -> None:
    """Let one of the chunks that wait take that long."""
    endings.done(endings.begin(), seconds)


def test_the_first_chunk_of_an_operation_goes_alone():
    assert taken(waiting(10)) == [0]


def test_quick_chunks_share_a_commit_and_leave_the_others_their_share():
    endings = waiting(11)
    learn(endings, MOMENT / 1000)
    assert taken(endings) == [1, 2, 3, 4, 5]
    assert taken(endings) == [6, 7, 8, 9, 10]
    assert not endings.may_begin


def test_no_more_are_together_than_a_moment_has_time_for():
    endings = waiting(30, connections=1)
    learn(endings, MOMENT / 3.5)
    assert taken(endings) == [1, 2, 3]


def test_slow_chunks_go_one_by_one():
    endings = waiting(30, connections=1)
    learn(endings, 10 * MOMENT)
    assert taken(endings) == [1]


def test_a_commit_has_at_most_so_many_chunks():
    endings = waiting(3 * MAX_TOGETHER, connections=1)
    learn(endings, 0.0)
    assert len(taken(endings)) == MAX_TOGETHER


def test_a_chunk_that_slows_down_is_noticed():
    endings = waiting(30, connections=1)
    learn(endings, MOMENT / 10)
    learn(endings, 100 * MOMENT)
    assert len(taken(endings)) == 1


def test_a_connection_takes_nothing_while_all_are_busy():
    endings = waiting(3)
    endings.begin()
    assert endings.may_begin
    endings.begin()
    assert not endings.may_begin


@pytest.mark.parametrize(
    "other",
    [{"run_id": "r2"}, {"step": "b"}, {"operation": "count"}, {"attempt": 2}],
    ids=lambda x: next(iter(x)),
)
def test_only_chunks_of_one_kind_are_together(other):
    endings = waiting(1)
    learn(endings, 0.0)
    chunk = chunk_of()
    endings.add(replace(chunk, chunk_id=1), QUICK)
    endings.add(replace(chunk, chunk_id=2, **other), QUICK)
    endings.add(replace(chunk, chunk_id=3), QUICK)
    endings.add(replace(chunk, chunk_id=4), UniformReport([1], "deferred", "internal", "why"))
    assert taken(endings) == [1, 3]
    assert taken(endings) == [2]
