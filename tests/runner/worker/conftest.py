"""A claim's queue, a pool of connections, and a shop on loopback, for the parts of a worker."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from headgate.database import aconnect
from headgate.settings import Settings
from headgate.worker.connection_pool import ConnectionPool
from headgate.worker.queue import Queue
from tests.runner.shop import Shop, open_shop


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
