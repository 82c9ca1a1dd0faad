"""Computes chunks: reads their input, runs their handler in another process, hands in its rows.

Handlers run in a local pool of processes or on a Dask cluster; both take the same task. No
transaction is open meanwhile. Input is read over separate connections, so that completions of
calls do not wait for it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Protocol

import psycopg
from psycopg import Connection

from headgate.errors import HeadgateError, WrongPlan
from headgate.handlers import Done, Input, Job, Parsing, Spooled, Target, Task, WorkLost
from headgate.worker import loading, streams
from headgate.worker.artifacts import (
    fetch_files,
    put_files,
    remove_files,
    spool_of,
    wanted_artifacts,
)
from headgate.worker.chunks import Chunk, Handling, Stage
from headgate.worker.completer import Completer
from headgate.worker.connection_pool import ConnectionPool
from headgate.worker.copying import Unwanted
from headgate.worker.handler_reports import ended, failed_by, refused, report_of, task_of
from headgate.worker.leases import HandlerLease
from headgate.worker.provider_state import Providers, ProviderState
from headgate.worker.reports import Report

logger = logging.getLogger(__name__)

PER_PROCESS: Final = 2
"""Chunks held per process: while one is computed, the input of the next is read."""


class ExecutorBackend(Protocol):
    """Where handlers run."""

    size: int
    is_local: bool
    """Whether handlers share the runner's file system."""

    async def start(self) -> None:
        """Prepare to run tasks. Raises HeadgateError."""

    async def run(self, task: Task | Parsing) -> Done:
        """Run a task. Raises WorkLost if its process died, hung or took too much memory."""

    async def aclose(self) -> None:
        """Stop the tasks that run, and release all resources."""


class HandlerExecutor:
    """Reads, computes and hands in the chunks that have a handler."""

    def __init__(
        self,
        backend: ExecutorBackend,
        connections: ConnectionPool,
        providers: Providers,
        completer: Completer,
        connect: Callable[[str], Connection[Any]],
    ) -> None:
        self._backend = backend
        self._connect = connect
        self._connections = connections
        self._providers = providers
        self._completer = completer
        self._works: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()

    @property
    def most(self) -> int:
        """Return the number of chunks that are worth holding at once."""
        return PER_PROCESS * self._backend.size

    def room(self, state: ProviderState) -> int:
        """Return how many more chunks of a provider to claim."""
        return max(0, self.most - state.handlings)

    def take(self, chunk: Chunk, at: float) -> None:
        """Start work on a chunk."""
        held = HandlerLease(chunk, at, Handling.from_row(chunk.call))
        self._completer.keeper.hold(held)
        self._providers.of(chunk.provider).handlings += 1
        held.work = self._loop.create_task(self._work(held))
        self._works.add(held.work)
        held.work.add_done_callback(self._works.discard)

    async def finish(self, seconds: float) -> None:
        """Wait up to `seconds` for running handlers, and cancel those that take longer."""
        if self._works:
            _, late = await asyncio.wait(self._works, timeout=seconds)
            for work in late:
                work.cancel()
            if late:
                await asyncio.wait(late)
        await self._connections.aclose()

    async def _work(self, held: HandlerLease) -> None:
        state = self._providers.of(held.chunk.provider)
        try:
            report = await self._report(held)
        except WorkLost as exc:
            state.handlings -= 1
            await self._completer.keeper.give_up(held, str(exc))
        except BaseException:
            state.handlings -= 1
            raise
        else:
            state.handlings -= 1
            await self._completer.settle_handled(held, report)

    async def _report(self, held: HandlerLease) -> Report:
        """Return a chunk's report; its jobs are deferred if this runner cannot compute them."""
        if (obstacle := self._obstacle(held.handling)) is not None:
            jobs = [Job(x, "deferred", obstacle) for x in held.chunk.asset_ids]
            return report_of(Done(jobs), None)
        with spool_of(held.handling) as folder:
            return await self._compute(held, folder)

    def _obstacle(self, handling: Handling) -> str | None:
        """Return why this runner cannot compute a chunk; None: it can."""
        if find_spec("numpy") is None:
            return "the runner lacks numpy, which handlers need: install headgate[handlers]"
        if handling.input_format is not None and not self._backend.is_local:
            return "streams need the runner's processes, not a Dask cluster"
        return None

    async def _compute(self, held: HandlerLease, folder: Path | None) -> Report:
        chunk, handling = held.chunk, held.handling
        faults = refused(held)
        wanted = [x for x in chunk.asset_ids if x not in faults]
        given, files = Input(), list[Spooled]()
        if wanted and handling.input_format is None:
            given, files, unread = await self._gather(held, wanted, folder)
            faults |= unread
        sound = [x for x in wanted if x not in faults]
        done = Done([])
        put: list[dict[str, Any]] = []
        position: str | None = None
        if sound:
            task = task_of(held, given, files, sound, folder)
            done, position = await self._run(held, task, folder)
            logger.debug(
                "chunk %s: %s took %.3f s, %s MB",
                chunk.chunk_id,
                chunk.handler,
                done.seconds,
                done.peak_memory >> 20,
            )
            put, unsent = await put_files(handling.store, folder, done)
            done.jobs = await remove_files(handling.store, done, self._connections)
            done.jobs = [unsent.get(job.asset_id, job) for job in done.jobs]
        report = report_of(done, handling)
        report.files = put
        report.position = position
        for job in faults.values():
            report.add(job.asset_id, job.outcome, fault=job.fault, error=job.error)
        if faults and report.rows is not None:
            report.rows.counts.extend([0] * len(faults))
        return report

    async def _run(
        self, held: HandlerLease, task: Task, folder: Path | None
    ) -> tuple[Done, str | None]:
        """Run a task with its pipes; an error of a pipe ends the task's jobs.

        Also returns the position to which a table's changes were read.
        """
        handling, is_over = held.handling, threading.Event()
        works: list[asyncio.Task[str | None]] = []
        if handling.input_format is not None and folder is not None:
            pipe = streams.make_pipe(folder)
            task = replace(task, stream=str(pipe))
            feeding = asyncio.to_thread(
                streams.feed, partial(self._connect, "input"), pipe, handling.input_function or "",
                handling.input_format, handling.context, task.asset_ids[0], is_over,
            )  # fmt: skip
            works.append(asyncio.create_task(feeding))
        drain: Callable[[], None] | None = None
        if handling.stage is not None and folder is not None:
            task, drain = self._to_stage(held, handling.stage, task, folder, is_over)
        try:
            if drain is not None and self._backend.is_local:
                works.append(asyncio.create_task(asyncio.to_thread(drain)))
            done = await self._backend.run(task)
            if drain is not None and not self._backend.is_local:  # the rows came with the answer
                works.append(asyncio.create_task(asyncio.to_thread(drain)))
        finally:
            is_over.set()
            ends = await asyncio.gather(*works, return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException) and not isinstance(end, Unwanted):
                return Done(ended(end, handling.input_function, task.asset_ids)), None
        return done, next((x for x in ends if isinstance(x, str)), None)

    def _to_stage(
        self,
        held: HandlerLease,
        stage: Stage,
        task: Task,
        folder: Path,
        is_over: threading.Event,
    ) -> tuple[Task, Callable[[], None]]:
        """Return the task with its way into the stage, and the function that copies its rows.

        The way is a pipe to the runner's own processes; a cluster sends a file instead.
        """
        place = loading.make_pipe(folder) if self._backend.is_local else folder / loading.PIPE
        target = Target(stage.columns, (held.chunk.chunk_id, held.chunk.lease_no), str(place))
        connect = partial(self._connect, "staging")
        return replace(task, stage=target), partial(loading.drain, connect, place, stage, is_over)

    async def _gather(
        self, held: HandlerLease, asset_ids: list[int], folder: Path | None
    ) -> tuple[Input, list[Spooled], dict[int, Job]]:
        """Read the input, and fetch the files that it names."""
        given, faults = await self._read(held, asset_ids)
        try:
            wanted = wanted_artifacts(given)
        except WrongPlan as exc:
            return given, [], {x: Job(x, "deferred", str(exc)) for x in asset_ids}
        files, unfetched = await fetch_files(wanted, folder, self._connections)
        return given, files, faults | unfetched

    async def _read(self, held: HandlerLease, asset_ids: list[int]) -> tuple[Input, dict[int, Job]]:
        """Return the input, and the jobs whose input failed; bad data are isolated by halving."""
        handling = held.handling
        function = handling.input_function
        if function is None:
            return Input(), {}
        try:
            return (
                await self._connections.run(
                    lambda queue: queue.read_input(function, handling.context, asset_ids)
                ),
                {},
            )
        except (psycopg.Error, HeadgateError) as exc:
            jobs = failed_by(function, exc, asset_ids)
        if len(asset_ids) == 1 or jobs[0].outcome == "deferred":
            return Input(), {job.asset_id: job for job in jobs}
        half = len(asset_ids) // 2
        left, faults = await self._read(held, asset_ids[:half])
        right, more = await self._read(held, asset_ids[half:])
        given = Input(left.columns or right.columns, left.cells + right.cells)
        return given, faults | more
