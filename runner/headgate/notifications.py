"""Notifications of the database, through a connection that is opened again whenever it ends."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Collection
from typing import Final, LiteralString

import psycopg

from headgate.database import READER, aconnect
from headgate.errors import ServerUnreachable
from headgate.sessions import is_pooled
from headgate.settings import Settings

logger = logging.getLogger(__name__)

FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 5.0
CHANGES: Final = ("headgate_steps", "headgate_orders", "headgate_jobs", "headgate_progress")
"""Channels that together tell of every change of a run."""
AFTERWARDS: Final = 2.0
"""Seconds after which a change is told again: a runner tells of one end a second."""
POLL: Final = 10.0
"""Seconds between two looks behind a pooler."""


async def notifications(
    settings: Settings,
    what: str,
    channels: Collection[LiteralString],
    *,
    role: str,
    poll: float,
) -> AsyncIterator[str]:
    """Yield the payload of each notification, for ever.

    An empty text is yielded whenever it begins to listen: something may have been sent before. A
    pooler passes no notifications on: behind one, an empty text comes every `poll` seconds.
    """
    pause = FIRST_PAUSE
    while True:
        try:
            async with await aconnect(settings, what, role=role, listens=True) as connection:
                if is_pooled(connection):
                    break
                for channel in channels:
                    await connection.execute(f"listen {channel}")
                pause = FIRST_PAUSE
                yield ""
                async for notice in connection.notifies():
                    yield notice.payload
        except (ServerUnreachable, psycopg.OperationalError) as exc:
            logger.debug("not listening: %s", exc)
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
    logger.info(
        "a pooler passes no notifications on: asking every %.0f s "
        "(HEADGATE_LISTEN_DSN names the server itself)",
        poll,
    )
    while True:
        yield ""
        await asyncio.sleep(poll * random.uniform(0.8, 1.2))


async def note_changes(settings: Settings, what: str, changed: asyncio.Event) -> None:
    """Set `changed` whenever a run may have changed, and again AFTERWARDS; for ever."""
    told = notifications(settings, what, CHANGES, role=READER, poll=POLL)
    loop = asyncio.get_running_loop()
    async for _ in told:
        changed.set()
        loop.call_later(AFTERWARDS, changed.set)
