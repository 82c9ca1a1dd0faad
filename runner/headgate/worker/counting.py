"""Counts what pages and metrics show, so that no reader has to, and forgets what is old.

It takes long where there are many assets, so it has a connection of its own: no claim waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import psycopg

from headgate.errors import HeadgateError
from headgate.worker.completion import reason_of
from headgate.worker.queue import Queue

logger = logging.getLogger(__name__)


async def keep_counts(connect: Callable[[], Awaitable[Queue]], is_due: asyncio.Event) -> None:
    """Run for ever: count whenever it is due, which a heartbeat says, then forget what is old."""
    while True:
        await is_due.wait()
        is_due.clear()
        try:
            queue = await connect()
            try:
                if await queue.keep_counts() and (runs := await queue.keep_history()):
                    logger.info("%s runs of old history were deleted", runs)
            finally:
                await queue.connection.close()
        except (psycopg.Error, HeadgateError) as exc:
            logger.warning("nothing is counted for pages and metrics: %s", reason_of(exc))
