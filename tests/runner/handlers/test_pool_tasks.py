"""A task reaches its process, and rows its runner, through memory that both share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from headgate.handlers.pool_messages import Input, Task
from headgate.handlers.pool_tasks import KEPT, TaskMemory, put_rows, take_task

SMALL = Task(
    "handlers:any", "compute", {}, [1], ["P5"], [None], Input((("asset_id", 20),), [[bytes(8)]]),
    None, timeout_seconds=1.0, max_memory=2**30,
)  # fmt: skip
LARGE = replace(SMALL, input=Input(SMALL.input.columns, [[bytes(KEPT)], [b"\xff" * 1_000_003]]))


@pytest.fixture
def memory() -> Iterator[TaskMemory]:
    """Return memory that is closed after the test."""
    memory = TaskMemory()
    yield memory
    memory.close()


def test_a_task_arrives_as_it_was_put(memory: TaskMemory):
    assert take_task(memory.descriptor, memory.put(SMALL)) == SMALL
    assert take_task(memory.descriptor, memory.put(LARGE)) == LARGE


def test_nothing_of_a_larger_task_is_left_in_a_smaller_one_that_follows(memory: TaskMemory):
    memory.put(LARGE)
    assert take_task(memory.descriptor, memory.put(SMALL)) == SMALL


def test_rows_come_back_in_the_place_of_their_task(memory: TaskMemory):
    for rows in (b"", b"rows", bytes(range(256)) * 100_000, b"few"):
        memory.put(LARGE)
        put_rows(memory.descriptor, rows)
        assert memory.take(len(rows)) == rows


def test_no_more_rows_are_taken_than_there_are(memory: TaskMemory):
    memory.put(SMALL)
    assert len(memory.take(10_000)) < 10_000
    memory.close()
    assert memory.take(10_000) == b""


def test_a_large_task_leaves_a_bounded_part_of_its_memory_behind(memory: TaskMemory):
    memory.put(SMALL)
    memory.shrink()
    assert os.fstat(memory.descriptor).st_size < 1000

    memory.put(LARGE)
    memory.shrink()
    assert os.fstat(memory.descriptor).st_size == KEPT
    assert take_task(memory.descriptor, memory.put(LARGE)) == LARGE


def test_memory_that_is_closed_shrinks_no_more(memory: TaskMemory):
    memory.put(LARGE)
    memory.close()
    memory.shrink()
    memory.close()
