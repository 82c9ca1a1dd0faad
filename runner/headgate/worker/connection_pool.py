"""The few database connections of a runner; they wait for a lost server and reconnect."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final, TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from headgate.errors import ServerUnreachable
from headgate.worker.queue import Queue

logger = logging.getLogger(__name__)

FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 5.0
AWAY: Final = ("25006",)
"""The server is read-only: another may be the primary by now, or this one may be it again soon."""
PASSING: Final = ("40", "53", "55006", "55P03", "58")
"""SQLSTATE prefixes of temporary errors: conflicts, no space, too many clients, locks, I/O."""
DOUBTFUL: Final = ("0A", "25", "26", "3D", "3F", "42", "55", "57014", "XX")
"""SQLSTATE prefixes of errors that may be temporary: missing rights or functions, time-outs."""
MAX_RETRIES: Final = 6
STATEMENT_SECONDS: Final = 600.0
"""A server that sends nothing for this long is lost, even if its connection looks alive."""

T = TypeVar("T")


class ConnectionPool:
    """Connections shared by tasks; each runs one statement at a time."""

    def __init__(self, connect: Callable[[], Awaitable[Queue]], size: int) -> None:
        self.size = size
        self._connect = connect
        self._free: asyncio.LifoQueue[Queue | None] = asyncio.LifoQueue()
        for _ in range(size):
            self._free.put_nowait(None)
        self._loop = asyncio.get_running_loop()
        self.given_up = asyncio.Event()
        """Set once a lost server has not come back in time; no statement is run after that."""
        self._lost_since: float | None = None
        self._ending_since: float | None = None
        self._patience = 0.0
        self._waits: set[asyncio.Timeout] = set()
        """Waits for the server: for connections, and between tries."""

    async def open(self) -> None:
        """Open the first connection. Raises at once if the server refuses it or is unreachable."""
        await self._free.get()
        self._free.put_nowait(await self._connect())

    def give_up_after(self, seconds: float) -> None:
        """Wait at most `seconds` for a server that is lost, from now or from its loss on."""
        self._ending_since, self._patience = self._loop.time(), seconds
        for wait in self._waits:
            wait.reschedule(self._give_up_at())

    async def run(
        self,
        what: Callable[[Queue], Awaitable[T]],
        *,
        is_patient: bool = False,
        max_retries: int = MAX_RETRIES,
    ) -> T:
        """Run one statement; if the connection breaks, wait for the server and run it again.

        Whether the first try was committed is then unknown. All functions of the runner may be
        repeated: a completion that was already committed raises LostLease. With `is_patient`,
        temporary errors are waited for without limit, and errors that may be temporary are retried.
        """
        retries = 0
        pause = FIRST_PAUSE
        while True:
            if self.given_up.is_set():
                raise ServerUnreachable("the server did not come back in time")
            try:
                result = await self._try(what)
            except (ServerUnreachable, TimeoutError) as exc:
                self._note_lost(exc)
            except psycopg.Error as exc:
                retries += 1
                if (exc.sqlstate or "").startswith(AWAY):
                    self._note_lost(exc)
                elif not self._may_pass(exc, is_patient, retries <= max_retries):
                    raise
                else:
                    logger.warning("PostgreSQL is in trouble: %s", _first_line(exc))
            else:
                self._note_back()
                return result
            await self._pause(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _try(self, what: Callable[[Queue], Awaitable[T]]) -> T:
        """Run one statement once; close a connection that may be broken or leads to a standby."""
        queue = await self._free.get()
        is_good = False
        try:
            if queue is None or queue.connection.closed:
                queue = None
                async with self._bounded():
                    queue = await self._connect()
            async with asyncio.timeout(STATEMENT_SECONDS):
                result = await what(queue)
            is_good = True
            return result
        except (ServerUnreachable, TimeoutError):
            raise
        except psycopg.Error as exc:
            is_good = not (exc.sqlstate or "").startswith(AWAY)
            raise
        except Exception:
            is_good = True
            raise
        finally:
            if queue is not None and not (is_good and _is_usable(queue)):
                await _close(queue)
                queue = None
            self._free.put_nowait(queue)

    async def aclose(self) -> None:
        """Close the connections that are not in use."""
        while not self._free.empty():
            await _close(self._free.get_nowait())

    def _may_pass(self, exc: psycopg.Error, is_patient: bool, has_retries: bool) -> bool:
        state = exc.sqlstate or ""
        if is_patient and self._ending_since is None and state.startswith(PASSING):
            return True
        worth = (*PASSING, *DOUBTFUL) if is_patient else (*PASSING, "57014")
        return has_retries and state.startswith(worth)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with self._bounded():
                await asyncio.sleep(seconds * random.uniform(0.8, 1.2))
        give_up_at = self._give_up_at()
        if give_up_at is not None and self._loop.time() >= give_up_at:
            self.given_up.set()

    @asynccontextmanager
    async def _bounded(self) -> AsyncIterator[None]:
        """Raise TimeoutError when a wait for the server has taken too long for a runner's end."""
        async with asyncio.timeout_at(self._give_up_at()) as wait:
            self._waits.add(wait)
            try:
                yield
            finally:
                self._waits.discard(wait)

    def _give_up_at(self) -> float | None:
        """Return the time at which a server that is lost, or that goes now, is given up."""
        if self._ending_since is None:
            return None
        lost_since = self._lost_since or self._loop.time()
        return max(self._ending_since, lost_since) + self._patience

    def _note_lost(self, exc: Exception) -> None:
        if self._lost_since is None:
            self._lost_since = self._loop.time()
            logger.warning("lost the database, waiting for it: %s", str(exc) or "no answer")
        else:
            logger.debug("still waiting for the database: %s", str(exc) or "no answer")

    def _note_back(self) -> None:
        if self._lost_since is not None:
            logger.warning(
                "the database is back after %.1f s", self._loop.time() - self._lost_since
            )
            self._lost_since = None


def _is_usable(queue: Queue) -> bool:
    info = queue.connection.info
    return not queue.connection.closed and info.transaction_status == TransactionStatus.IDLE


async def _close(queue: Queue | None) -> None:
    if queue is not None:
        await queue.connection.close()


def _first_line(exc: Exception) -> str:
    return str(exc).partition("\n")[0]
