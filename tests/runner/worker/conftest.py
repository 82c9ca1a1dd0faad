"""Fixtures for tests of a worker and its parts: connections, a shop on 127.0.0.1, a small plan, a run."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from headgate.database import aconnect, dsn_of
from headgate.settings import Settings
from headgate.worker.connection_pool import ConnectionPool
from headgate.worker.queue import Queue
from headgate.worker.worker import work
from tests.limits import PATIENCE
from tests.plan import Plan
from tests.runner.shop import Shop, open_shop
from tests.runner.small_plan import status
from tests.servers import DB


@pytest.fixture
async def connections(core_database: Settings) -> AsyncIterator[ConnectionPool]:
    """Open two connections of the runner `me`."""

    async def connect() -> Queue:
        return Queue(await aconnect(core_database, "test"), "me")

    pool = ConnectionPool(connect, 2)
    yield pool
    await pool.aclose()


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    """Run a shop on a free port."""
    async with open_shop() as opened:
        yield opened


@pytest.fixture
def plan(core_plan: Plan) -> Plan:
    """Connect to a database without the shipped plans."""
    return core_plan


@pytest.fixture
def run(core_database: Settings, plan: Plan) -> Callable[..., Awaitable[None]]:
    """Work until a run of the small plan has ended."""

    async def work_off(run_id: str = "r1", **more: Any) -> None:
        async def has_ended() -> bool:
            return bool(status(plan, run_id)["status"] != "running")

        async with asyncio.timeout(PATIENCE):
            await work(core_database, until=has_ended, **more)

    return work_off


@pytest.fixture
def worker(
    core_database: Settings, core_template: Settings
) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Start a runner in a process of its own."""
    environ = {
        **os.environ,
        "HEADGATE_DSN": dsn_of(core_database),
        "HEADGATE_DB": str(replace(core_database, db=core_template.db).db),
    }
    started = []

    def begin() -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "headgate", "worker"], env=environ, cwd=DB.parent
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()
