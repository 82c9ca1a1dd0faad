"""Browsers hear of changes: all of them through one connection that listens."""

from __future__ import annotations

import asyncio

from headgate.database import connect
from tests.limits import PATIENCE, until
from tests.runner.web.conftest import end_job

LISTENERS = """
select pid from pg_stat_activity
where datname = current_database() and application_name like 'headgate web http%' and state = 'idle'
    and query = 'listen headgate_progress'
"""


async def next_event(stream) -> int:
    """Return the number of the next event."""
    async with asyncio.timeout(PATIENCE):
        while not (line := (await stream.content.readline()).decode()).startswith("data: "):
            pass
    return int(line.removeprefix("data: "))


async def test_two_browsers_hear_of_a_change_through_one_connection(hostile, client, monkeypatch):
    monkeypatch.setattr("headgate.notifications.AFTERWARDS", PATIENCE)
    async with client.get("/events") as first, client.get("/events") as second:
        await until(lambda: hostile.sql(LISTENERS))
        hostile.sql("select pg_notify('headgate_steps', '')")  # what preceded it is told by now
        before = await next_event(first)
        await next_event(second)

        end_job(hostile, "success")
        assert await next_event(first) > before
        assert await next_event(second) > before
        assert len(hostile.sql(LISTENERS)) == 1


async def test_a_completion_tells_those_who_listen(hostile, core_database):
    with connect(core_database, "test") as listener:
        listener.execute("listen headgate_progress")
        hostile.sql("select set_config('headgate.told_in', '', false)")
        end_job(hostile, "success")

        (told,) = listener.notifies(timeout=PATIENCE, stop_after=1)
    assert told.channel == "headgate_progress"
