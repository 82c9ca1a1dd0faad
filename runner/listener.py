"""Wakes an idle runner when something was sent, so that it need not ask again and again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from typing import Final

import psycopg

from runner.database import aconnect
from runner.errors import ServerUnreachable
from runner.settings import Settings

logger = logging.getLogger(__name__)

CHANNEL: Final = "headgate_jobs"
FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 5.0


async def listen(
    settings: Settings, role: str, queues: Collection[str] | None, wake: asyncio.Event
) -> None:
    """Set `wake` whenever a message was sent to one of the queues; reconnects for ever."""
    pause = FIRST_PAUSE
    while True:
        try:
            async with await aconnect(settings, "worker, listening", role=role) as connection:
                await connection.execute("listen headgate_jobs")
                pause = FIRST_PAUSE
                wake.set()  # something may have been sent before we listened
                async for notice in connection.notifies():
                    if queues is None or not notice.payload or notice.payload in queues:
                        wake.set()
        except (ServerUnreachable, psycopg.OperationalError) as exc:
            logger.debug("not listening: %s", exc)
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
