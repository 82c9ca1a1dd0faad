"""A runner is listed while it lives, and removed when it signs off."""

from __future__ import annotations

import asyncio
import os

from headgate import __version__
from headgate.worker import heartbeat
from tests.limits import until

KNOWN = "select runner, pid, version from headgate.v_runners"


async def test_a_runner_is_known_until_it_says_that_it_ends(connections, core_plan):
    beating = asyncio.create_task(heartbeat.beat(connections))
    await until(lambda: core_plan.sql(KNOWN))

    assert core_plan.sql(KNOWN) == [{"runner": "me", "pid": os.getpid(), "version": __version__}]
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)
    await heartbeat.end(connections)
    assert core_plan.sql(KNOWN) == []


async def test_a_database_that_knows_no_heartbeat_ends_no_runner(connections, core_plan, caplog):
    core_plan.sql("drop function headgate.heartbeat, headgate.end_runner cascade")

    beating = asyncio.create_task(heartbeat.beat(connections))
    await until(lambda: "no heartbeat" in caplog.text)
    await heartbeat.end(connections)

    assert not beating.done()
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)
