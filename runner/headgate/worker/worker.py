"""The runner's main loop: claims chunks, makes their calls and hands in results, all at once.

No transaction is open while a call is under way. Chunks overlap: while one is handed in, calls of
the next are under way. Recovery from a crash is left to the leases.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Final, TypeAlias

from headgate.database import aconnect, connect
from headgate.errors import ServerUnreachable
from headgate.handlers import DaskBackend, Pool
from headgate.settings import Settings
from headgate.worker import heartbeat
from headgate.worker.answer_cache import AnswerCache
from headgate.worker.background import Background
from headgate.worker.buffer import Buffer
from headgate.worker.call_executor import CallExecutor
from headgate.worker.calls import Caller
from headgate.worker.chunks import Chunk, Claim
from headgate.worker.cleaning import keep_clean
from headgate.worker.completer import Completer
from headgate.worker.connection_pool import ConnectionPool
from headgate.worker.counting import keep_counts
from headgate.worker.handler_executor import ExecutorBackend, HandlerExecutor
from headgate.worker.health import Health
from headgate.worker.keeper import Keeper
from headgate.worker.leases import CallLease, Leased
from headgate.worker.listener import listen
from headgate.worker.pace import ServerClock
from headgate.worker.producer import Producer
from headgate.worker.provider_state import Providers
from headgate.worker.queue import Queue
from headgate.worker.totals import Totals

logger = logging.getLogger(__name__)

CONNECTIONS: Final = 2
READERS: Final = 4
"""The most connections over which the input of handlers is read; opened when needed."""
DRAIN_SECONDS: Final = 10.0
LOST_SECONDS: Final = 4.0
"""How long a worker that ends waits for a database that is lost."""
ROLE: Final = "headgate_runner"

Until: TypeAlias = asyncio.Event | Callable[[], Awaitable[bool]] | None


def name_prefix(pid: int) -> str:
    """Return the start of the names of runners that work in a process of this machine."""
    return f"{socket.gethostname()}-{pid}-"


def new_name() -> str:
    """Return a name that nobody guesses: who knows it may hand in what the runner holds."""
    return f"{name_prefix(os.getpid())}{secrets.token_hex(8)}"


async def work(
    settings: Settings,
    *,
    concurrency: int = 50,
    queues: Sequence[str] | None = None,
    until: Until = None,
    stop: asyncio.Event | None = None,
    runner: str | None = None,
    processes: int | None = None,
    dask: str | None = None,
) -> Totals:
    """Work until `until` is true, or for ever; `stop` ends the work early and releases the rest.

    Handlers run in `processes` local processes (default: one per core), or on a Dask cluster.
    """
    name = runner or new_name()
    backend = DaskBackend(dask) if dask else Pool(processes or len(os.sched_getaffinity(0)))
    return await Worker(settings, concurrency, queues, name, backend).run(until, stop)


class Worker:
    """One runner: its connections, its parts, and the callbacks between them."""

    def __init__(
        self,
        settings: Settings,
        concurrency: int,
        queues: Sequence[str] | None,
        name: str,
        backend: ExecutorBackend,
    ) -> None:
        self._settings = settings
        self._queues = queues
        self._name = name
        self._caller = Caller(
            concurrency,
            Buffer(settings.max_buffer),
            open_target=lambda: connect(settings, "staging", role=ROLE),
            run_parser=backend.run,
        )
        self._connections = ConnectionPool(self._connect, CONNECTIONS)
        self._totals = Totals()
        providers, clock, background = Providers(), ServerClock(), Background()
        self._keeper = Keeper(
            self._connections, clock, self._totals, background, self._on_lost, self._on_time
        )
        self._completer = Completer(
            self._connections, providers, self._keeper, self._totals, background, upstream=self
        )
        self._executor = CallExecutor(
            self._caller,
            providers,
            clock,
            concurrency,
            self._on_result,
            self._keeper.take_starts,
            AnswerCache(self._connections, background, self._keeper.lose).begin,
        )
        self._backend = backend
        reading = ConnectionPool(self._connect, READERS)
        self._handler_executor = HandlerExecutor(
            backend,
            reading,
            providers,
            self._completer,
            connect=lambda purpose: connect(settings, purpose, role=ROLE),
        )
        self._producer = Producer(
            self._connections, self._executor, self._completer, self._handler_executor, concurrency
        )

    async def run(self, until: Until, stop: asyncio.Event | None) -> Totals:
        """Work until told to end, then drain. Raises the error that ended a part, if any.

        Raises ServerUnreachable if the database was given up meanwhile: it says what is lost.
        """
        await self._backend.start()
        try:
            await self._connections.open()
        except BaseException:
            await self._backend.aclose()
            raise
        logger.info("runner %s works", self._name)
        health = Health(self._settings.health)
        counts_due = asyncio.Event()
        feeding = asyncio.create_task(self._producer.feed())
        keeping = asyncio.create_task(self._completer.keep())
        others = [
            asyncio.create_task(listen(self._settings, ROLE, self._queues, self._producer.wake)),
            asyncio.create_task(self._watch(until)),
            asyncio.create_task(
                heartbeat.beat(self._connections, self._caller.traffic, health, counts_due)
            ),
            asyncio.create_task(keep_counts(self._connect, counts_due)),
            asyncio.create_task(health.stay_alive()),
            asyncio.create_task(keep_clean(self._connections)),
            asyncio.create_task(stop.wait() if stop else asyncio.Event().wait()),
        ]
        tasks: list[asyncio.Task[Any]] = [feeding, keeping, *others]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _cancel(others)
            health.heard(False)
            before = replace(self._totals)
            await self._drain(feeding, keeping)
        if self._connections.given_up.is_set():
            chunks = self._totals.lost - before.lost + len(self._keeper.held)
            raise _given_up(chunks, self._totals.unreported - before.unreported)
        for task in tasks:
            if task.done() and not task.cancelled():
                task.result()
        return self._totals

    def _on_result(self, held: CallLease) -> None:
        self._completer.on_result(held)
        self._producer.note_room()

    def _on_lost(self, held: Leased) -> None:
        if isinstance(held, CallLease):
            self._executor.drop(held)
        self._producer.chunk_ended(was_fruitless=False, has_next=False)

    def _on_time(self) -> None:
        self._executor.pump()

    # The completer's Upstream: the completer knows neither the producer nor the executor.

    def wanted_after(self, chunk: Chunk) -> int:
        """Return the number of chunks to claim together with the completion of this one."""
        return self._producer.wanted_after(chunk)

    @property
    def room(self) -> int:
        """Return the number of calls for which a claim may bring times to start."""
        return self._producer.room

    def take(self, claim: Claim) -> None:
        """Start work on claimed chunks."""
        self._producer.take(claim)

    def chunk_ended(self, *, was_fruitless: bool, has_next: bool) -> None:
        """Note that a chunk has ended; fruitless means with neither a request nor a result."""
        self._producer.chunk_ended(was_fruitless=was_fruitless, has_next=has_next)

    def give_up(self, held: CallLease, reason: str) -> None:
        """Start no further call of a chunk; the calls that have not started are reported unsent."""
        self._executor.give_up(held, reason)

    def freed(self, size: int) -> None:
        """Note that `size` bytes of answers have been handed in: there is room for more."""
        self._executor.freed(size)

    async def _watch(self, until: Until) -> None:
        """Return when the work is done; `until` is checked after each claim and every second."""
        if until is None:
            await asyncio.Event().wait()
        elif isinstance(until, asyncio.Event):
            await until.wait()
        else:
            while not await until():
                self._producer.asked.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(1.0):
                        await self._producer.asked.wait()
                await asyncio.sleep(0.05)

    async def _drain(self, feeding: asyncio.Task[None], keeping: asyncio.Task[None]) -> None:
        """Start nothing new, let open calls end, hand in their results, release the rest.

        Heartbeats go on meanwhile, so that a lost database is noticed at once.
        """
        self._producer.stop()
        self._connections.give_up_after(LOST_SECONDS)
        beating = asyncio.create_task(heartbeat.beat(self._connections, self._caller.traffic))
        await self._finish_work()
        await self._backend.aclose()
        await asyncio.wait([feeding], timeout=DRAIN_SECONDS)
        await _cancel([feeding, keeping, beating])
        await self._completer.finish()
        await heartbeat.end(self._connections)
        await self._caller.aclose()
        await self._connections.aclose()
        totals = self._totals
        logger.info("runner %s ends: %s chunks, %s", self._name, totals.chunks, dict(totals.jobs))

    async def _finish_work(self) -> None:
        """Let open calls and handlers end in time; cut them once the database is given up."""
        calls = self._keeper.calling()
        ending = asyncio.create_task(self._finish_within(DRAIN_SECONDS, calls))
        hopeless = asyncio.create_task(self._connections.given_up.wait())
        await asyncio.wait([ending, hopeless], return_when=asyncio.FIRST_COMPLETED)
        if not ending.done():
            await self._finish_within(0, calls)
        await ending
        await _cancel([hopeless])

    async def _finish_within(self, seconds: float, calls: Sequence[CallLease]) -> None:
        await asyncio.gather(
            self._executor.finish(calls, seconds), self._handler_executor.finish(seconds)
        )

    async def _connect(self) -> Queue:
        connection = await aconnect(self._settings, "worker", role=ROLE)
        return Queue(connection, self._name, self._queues)


def _given_up(chunks: int, requests: int) -> ServerUnreachable:
    """Return the error of a worker that ends without its database: what is lost by that."""
    message = f"PostgreSQL did not come back within {LOST_SECONDS:g} seconds"
    if not chunks:
        return ServerUnreachable(f"{message}; no work is lost")
    lost = f"chunks left to their leases: {chunks}; calls whose answers are lost: {requests}"
    return ServerUnreachable(
        f"{message}; {lost}",
        hint="once the leases have expired, another worker takes the chunks and makes these calls",
    )


async def _cancel(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
