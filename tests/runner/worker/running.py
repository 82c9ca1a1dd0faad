"""A whole worker that runs beside a test, a claim as a worker makes it, and what has been done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from headgate.settings import Settings
from headgate.worker.chunks import Claim
from headgate.worker.queue import Queue
from headgate.worker.totals import Totals
from headgate.worker.worker import work
from tests.limits import PATIENCE
from tests.plan import Plan


async def claim(queue: Queue, chunks: int = 1) -> Claim:
    """Advance and claim, again while executions advance."""
    for _ in range(20):
        while await queue.advance():
            pass
        found = await queue.claim(chunks)
        if found.chunks or found.wait_seconds != 0:
            return found
    raise AssertionError("the plan moves on for ever")


@asynccontextmanager
async def working(
    settings: Settings, stop: asyncio.Event | None = None, **more: Any
) -> AsyncIterator[asyncio.Task[Totals]]:
    """Run a worker beside the test; it is told to stop at the end."""
    stop = stop or asyncio.Event()
    task = asyncio.create_task(work(settings, stop=stop, **more))
    try:
        yield task
        stop.set()
        await asyncio.wait_for(task, PATIENCE)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def endings(plan: Plan) -> dict[str, int]:
    """Count the jobs that have ended, by status."""
    rows = plan.sql(
        "select status, count(*) as jobs from headgate.asset_processing_details group by status"
    )
    return {row["status"]: row["jobs"] for row in rows}


def ledger(plan: Plan) -> dict[str, int]:
    """Return the window's reserved and spent units."""
    (window,) = plan.sql("select reserved, spent from headgate.quota_windows")
    return dict(window)
