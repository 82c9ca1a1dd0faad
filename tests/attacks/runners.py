"""Runners as processes of their own, to be killed, and the cleaning that a runner does each day."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from headgate.database import aconnect
from headgate.demo.services import StandIn
from headgate.settings import Settings
from headgate.worker import cleaning
from headgate.worker.connection_pool import ConnectionPool
from headgate.worker.queue import Queue
from tests.acceptance.freshpoc.conftest import Poc
from tests.plan import Plan

RUNNERS = 2


@contextmanager
def runners_of(
    settings: Settings, services: Mapping[str, StandIn], plan: Plan, logs: Path
) -> Iterator[Poc]:
    """Start runners, and end them at last."""
    logs.mkdir()
    runners = Poc(settings, dict(services), logs, plan)
    try:
        for _ in range(RUNNERS):
            runners.spawn("worker")
        yield runners
    finally:
        for process in runners.processes:
            process.kill()
            process.wait()


def kill_one(runners: Poc, chance: random.Random) -> None:
    """Kill one of the runners, and start another one."""
    killed = chance.choice([x for x in runners.processes if x.poll() is None])
    killed.kill()
    killed.wait()
    runners.spawn("worker")


async def clean_stores(settings: Settings, plan: Plan) -> None:
    """Clean stores and stages, as runners and maintenance do each day."""

    async def connect() -> Queue:
        return Queue(await aconnect(settings, "test"), "me")

    connections = ConnectionPool(connect, 1)
    while (store := await connections.run(lambda queue: queue.take_store())) is not None:
        await cleaning.clean(store, connections)
    await connections.aclose()
    plan.sql("select headgate._clear_stages()")
