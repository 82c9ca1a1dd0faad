"""The runner's loop: claim chunks, make their calls, hand the results in, and never wait idly.

No transaction is open while a call is under way. Several chunks overlap: while one is handed in,
the calls of the next are out. What is lost with a crash is decided by leases, not here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeAlias

from headgate.database import aconnect
from headgate.handlers.dask import DaskBackend
from headgate.handlers.pool import Pool
from headgate.settings import Settings
from headgate.worker import heartbeat
from headgate.worker.buffer import Buffer
from headgate.worker.call_executor import CallExecutor
from headgate.worker.calls import Caller
from headgate.worker.completer import Completer
from headgate.worker.connection_pool import ConnectionPool
from headgate.worker.handler_executor import ExecutorBackend, HandlerExecutor
from headgate.worker.leases import CallLease
from headgate.worker.listener import listen
from headgate.worker.producer import Producer
from headgate.worker.queue import Queue
from headgate.worker.totals import Totals

logger = logging.getLogger(__name__)

CONNECTIONS: Final = 2
READERS: Final = 4
"""Connections, opened when needed, over which the input of handlers is read."""
DRAIN_SECONDS: Final = 10.0
ROLE: Final = "headgate_runner"

Until: TypeAlias = asyncio.Event | Callable[[], Awaitable[bool]] | None


def name_prefix(pid: int) -> str:
    """Return how the names of runners begin that work in this machine's process."""
    return f"{socket.gethostname()}-{pid}-"


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
    """Work until `until` is true, or for ever; `stop` ends it early, and gives back what waits.

    Handlers run in so many processes (one for each core unless told), or on a Dask cluster.
    """
    name = runner or f"{name_prefix(os.getpid())}{secrets.token_hex(2)}"
    backend = DaskBackend(dask) if dask else Pool(processes or len(os.sched_getaffinity(0)))
    return await Worker(settings, concurrency, queues, name, backend).run(until, stop)


class Worker:
    """One runner: its connections, the calls under way, and what moves between them."""

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
        self._caller = Caller(concurrency, Buffer(settings.max_buffer))
        self._connections = ConnectionPool(self._connect, CONNECTIONS)
        self._completer = Completer(self._connections)
        self._keeper = self._completer.keeper
        self._executor = CallExecutor(
            self._caller, concurrency, self._on_result, self._keeper.take_starts
        )
        self._backend = backend
        reading = ConnectionPool(self._connect, READERS)
        self._handler_executor = HandlerExecutor(backend, reading, self._executor, self._completer)
        self._producer = Producer(
            self._connections, self._executor, self._completer, self._handler_executor, concurrency
        )
        self._completer.join(self._producer, self._executor)

    async def run(self, until: Until, stop: asyncio.Event | None) -> Totals:
        """Work until told to end, then drain; what broke one of the parts is raised."""
        await self._backend.start()
        try:
            await self._connections.open()
        except BaseException:
            await self._backend.aclose()
            raise
        logger.info("runner %s works", self._name)
        feeding = asyncio.create_task(self._producer.feed())
        keeping = asyncio.create_task(self._completer.keep())
        others = [
            asyncio.create_task(listen(self._settings, ROLE, self._queues, self._producer.wake)),
            asyncio.create_task(self._watch(until)),
            asyncio.create_task(heartbeat.beat(self._connections)),
            asyncio.create_task(stop.wait() if stop else asyncio.Event().wait()),
        ]
        tasks: list[asyncio.Task[Any]] = [feeding, keeping, *others]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _cancel(others)
            await self._drain(feeding, keeping)
        for task in tasks:
            if task.done() and not task.cancelled():
                task.result()
        return self._completer.totals

    def _on_result(self, held: CallLease) -> None:
        self._completer.on_result(held)
        self._producer.note_room()

    async def _watch(self, until: Until) -> None:
        """Return when the work is done: `until` is asked after each claim, and every second."""
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
        """Start nothing new, let open calls end, hand in what is done, give back the rest."""
        self._producer.stop()
        self._connections.give_up_after(2 * DRAIN_SECONDS)
        await asyncio.gather(
            self._executor.finish(self._keeper.calling(), DRAIN_SECONDS),
            self._handler_executor.finish(DRAIN_SECONDS),
        )
        await asyncio.wait([feeding], timeout=DRAIN_SECONDS)
        await _cancel([feeding, keeping])
        await self._completer.finish()
        await heartbeat.end(self._connections)
        await self._caller.aclose()
        await self._connections.aclose()
        totals = self._completer.totals
        logger.info("runner %s ends: %s chunks, %s", self._name, totals.chunks, dict(totals.jobs))

    async def _connect(self) -> Queue:
        connection = await aconnect(self._settings, "worker", role=ROLE)
        return Queue(connection, self._name, self._queues)


async def _cancel(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
