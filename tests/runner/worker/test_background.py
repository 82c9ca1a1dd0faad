"""Background tasks are awaited, and an error in one ends nothing else."""

from __future__ import annotations

import asyncio

from headgate.worker.background import Background


async def test_tasks_that_tasks_begin_are_waited_for_too():
    background, seen = Background(), []

    async def second() -> None:
        await asyncio.sleep(0)
        seen.append("second")

    async def first() -> None:
        background.begin(second())
        seen.append("first")

    background.begin(first())
    await background.wait()

    assert seen == ["first", "second"]


async def test_an_error_is_logged_and_the_others_continue(caplog):
    background, seen = Background(), []

    async def fail() -> None:
        raise ValueError("it broke")

    async def work() -> None:
        await asyncio.sleep(0)
        seen.append("done")

    background.begin(fail())
    background.begin(work())
    await background.wait()

    assert seen == ["done"]
    assert [x.exc_info[0] for x in caplog.records] == [ValueError]


async def test_a_task_that_is_cancelled_is_not_an_error(caplog):
    background = Background()

    background.begin(asyncio.sleep(3600)).cancel()
    await background.wait()

    assert caplog.records == []
