"""An idle runner wakes when a message is sent to one of its queues."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

from headgate.worker.listener import listen
from tests.limits import PATIENCE, until

LISTENS = """
    select pid from pg_stat_activity
    where datname = current_database() and application_name = 'headgate worker, listening'
        and query = 'listen headgate_jobs' and state = 'idle'
"""


@asynccontextmanager
async def listening(settings, plan, queues=None):
    """Listen, and clear the wake-up of the start."""
    wake = asyncio.Event()
    task = asyncio.create_task(listen(settings, "headgate_runner", queues, wake))
    await until(lambda: plan.sql(LISTENS))
    await asyncio.wait_for(wake.wait(), PATIENCE)
    wake.clear()
    yield wake
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_notification_wakes_the_runner(core_database, core_plan):
    async with listening(core_database, core_plan) as wake:
        core_plan.sql("select pg_notify('headgate_jobs', 'anything')")
        await asyncio.wait_for(wake.wait(), PATIENCE)


async def test_only_notifications_of_its_own_queues_wake_a_runner(core_database, core_plan):
    async with listening(core_database, core_plan, ["mine"]) as wake:
        core_plan.sql("select pg_notify('headgate_jobs', 'another')")
        await asyncio.sleep(0.1)
        assert not wake.is_set()
        core_plan.sql("select pg_notify('headgate_jobs', 'mine')")
        await asyncio.wait_for(wake.wait(), PATIENCE)


async def test_a_listener_listens_again_when_its_connection_was_ended(core_database, core_plan):
    async with listening(core_database, core_plan) as wake:
        core_plan.sql(f"select pg_terminate_backend(pid) from ({LISTENS}) as l")
        await asyncio.wait_for(wake.wait(), PATIENCE)  # it may have missed something
