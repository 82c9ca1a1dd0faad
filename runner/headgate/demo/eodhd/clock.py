"""Clock of the stand-in: the database's time, so that both agree on the day, or the machine's.

A test can set it by hand.
"""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime

from headgate.demo.eodhd.waiting import PATIENCE

logger = logging.getLogger(__name__)

ASK_EVERY_SECONDS = 3.0


class Clock:
    """A clock that runs on from the time at which it was last set."""

    def __init__(self) -> None:
        self._offset = 0.0
        self._frozen: float | None = None
        self._last_told: float | None = None
        self.by_hand = False

    def seconds(self) -> float:
        """Return the time as seconds since 1970."""
        return self._frozen if self._frozen is not None else time.time() + self._offset

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return datetime.fromtimestamp(self.seconds(), UTC)

    def set(self, at: datetime | None, *, frozen: bool = False) -> None:
        """Set the time by hand; None returns to the time of the database or the machine."""
        self.by_hand = at is not None
        self._move(at.timestamp() if at else time.time(), frozen)

    def tell(self, at: datetime) -> None:
        """Set the clock to the database's time; equal times in two calls mean a frozen clock."""
        told = at.timestamp()
        frozen, self._last_told = told == self._last_told, told
        if not self.by_hand:
            self._move(told, frozen)

    def _move(self, at: float, frozen: bool) -> None:
        self._offset = at - time.time()
        self._frozen = at if frozen else None


async def ask(clock: Clock, dsn: str) -> None:
    """Set the clock to the database's time; leave it unchanged if the database does not answer.

    The connection is closed at once: an open one would keep a test from dropping its database.
    """
    import psycopg

    try:
        async with (
            asyncio.timeout(PATIENCE),
            await psycopg.AsyncConnection.connect(
                dsn, autocommit=True, application_name="standin"
            ) as connection,
        ):
            cursor = await connection.execute("select headgate.clock()")
            row = await cursor.fetchone()
    except (psycopg.Error, TimeoutError) as exc:
        logger.debug("the database does not tell the time: %s", exc)
        return
    if row is not None:
        clock.tell(row[0])


async def follow(clock: Clock, dsn: str) -> None:
    """Set the clock to the database's time every few seconds, forever."""
    while True:
        await asyncio.sleep(ASK_EVERY_SECONDS)
        await ask(clock, dsn)
