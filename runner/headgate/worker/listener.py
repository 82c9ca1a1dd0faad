"""Wakes an idle runner when a message is sent, so that it need not poll."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Collection
from typing import Final

import psycopg

from headgate.database import aconnect
from headgate.errors import ServerUnreachable
from headgate.sessions import is_pooled
from headgate.settings import Settings

logger = logging.getLogger(__name__)

FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 5.0
POLL: Final = 1.0
"""Seconds between polls of a runner that cannot be notified."""


async def listen(
    settings: Settings, role: str, queues: Collection[str] | None, wake: asyncio.Event
) -> None:
    """Set `wake` whenever a message is sent to one of the queues; reconnect for ever.

    A pooler passes no notifications on: behind one, `wake` is set every POLL seconds.
    """
    pause = FIRST_PAUSE
    while True:
        try:
            async with await aconnect(
                settings, "worker, listening", role=role, listens=True
            ) as connection:
                if is_pooled(connection):
                    break
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
    logger.info(
        "a pooler passes no notifications on: asking every %.0f s "
        "(HEADGATE_LISTEN_DSN names the server itself)",
        POLL,
    )
    while True:
        wake.set()
        await asyncio.sleep(POLL * random.uniform(0.8, 1.2))
