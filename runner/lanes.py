"""The few connections a runner works through. When the server is gone they wait for it."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from runner.errors import ServerUnreachable
from runner.queue import Queue

logger = logging.getLogger(__name__)

FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 5.0
TROUBLE: Final = ("53", "55P03", "57014", "58")
"""The house's own troubles, worth another try: no space, too many clients, a timeout, I/O."""
MOST_TROUBLE: Final = 6
STATEMENT_SECONDS: Final = 600.0
"""A server that says nothing for so long is gone, whatever its connection looks like."""

T = TypeVar("T")


class Lanes:
    """Connections shared by tasks, each carrying one statement at a time."""

    def __init__(self, connect: Callable[[], Awaitable[Queue]], size: int) -> None:
        self.size = size
        self._connect = connect
        self._free: asyncio.LifoQueue[Queue | None] = asyncio.LifoQueue()
        for _ in range(size):
            self._free.put_nowait(None)
        self._lost_since: float | None = None
        self._give_up_at: float | None = None

    async def open(self) -> None:
        """Open the first connection; raises at once when the server does not take us."""
        await self._free.get()
        self._free.put_nowait(await self._connect())

    def give_up_after(self, seconds: float) -> None:
        """From now on wait no longer than this for a server that is gone."""
        self._give_up_at = time.monotonic() + seconds

    async def run(self, what: Callable[[Queue], Awaitable[T]]) -> T:
        """Run one statement; when the connection breaks, wait for the server and repeat it.

        The fate of the first try is unknown then. All of the runner's functions may be repeated: a
        completion that had been committed raises LostLease.
        """
        lane = await self._free.get()
        troubles = 0
        pause = FIRST_PAUSE
        try:
            while True:
                try:
                    if lane is None or lane.connection.closed:
                        lane = None
                        lane = await self._connect()
                    async with asyncio.timeout(STATEMENT_SECONDS):
                        result = await what(lane)
                    self._note_back()
                    return result
                except (ServerUnreachable, TimeoutError) as exc:
                    await _close(lane)
                    lane = None
                    self._note_lost(exc)
                except psycopg.Error as exc:
                    troubles += 1
                    if not (exc.sqlstate or "").startswith(TROUBLE) or troubles > MOST_TROUBLE:
                        raise
                    logger.warning("PostgreSQL is in trouble, trying again: %s", _first_line(exc))
                await self._pause(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
        finally:
            if lane is not None and not _is_usable(lane):
                await _close(lane)
                lane = None
            self._free.put_nowait(lane)

    async def aclose(self) -> None:
        """Close the connections that are not in use."""
        while not self._free.empty():
            await _close(self._free.get_nowait())

    async def _pause(self, seconds: float) -> None:
        if self._give_up_at is not None:
            left = self._give_up_at - time.monotonic()
            if left <= 0:
                raise ServerUnreachable("the server did not come back in time")
            seconds = min(seconds, left)
        await asyncio.sleep(seconds * random.uniform(0.8, 1.2))

    def _note_lost(self, exc: Exception) -> None:
        if self._lost_since is None:
            self._lost_since = time.monotonic()
            logger.warning("lost the database, waiting for it: %s", str(exc) or "no answer")

    def _note_back(self) -> None:
        if self._lost_since is not None:
            logger.warning("the database is back after %.1f s", time.monotonic() - self._lost_since)
            self._lost_since = None


def _is_usable(lane: Queue) -> bool:
    info = lane.connection.info
    return not lane.connection.closed and info.transaction_status == TransactionStatus.IDLE


async def _close(lane: Queue | None) -> None:
    if lane is not None:
        await lane.connection.close()


def _first_line(exc: Exception) -> str:
    return str(exc).partition("\n")[0]
