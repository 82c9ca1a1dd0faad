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
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Protocol

import psycopg
from psycopg import Connection

from headgate.database import from_psycopg
from headgate.errors import HeadgateError
from headgate.handlers import Done, Input, Job, Parsing, Task, WorkLost
from headgate.worker.artifacts import put_files, spool_of
from headgate.worker.chunks import Chunk, Handling, Report, Rows
from headgate.worker.completer import Completer
from headgate.worker.connection_pool import ConnectionPool
from headgate.worker.copying import Unwanted
from headgate.worker.leases import HandlerLease
from headgate.worker.provider_state import Providers, ProviderState
from headgate.worker.streams import feed, make_pipe

logger = logging.getLogger(__name__)

PER_PROCESS: Final = 2
"""Chunks held per process: while one is computed, the input of the next is read."""
OF_THE_DATA: Final = ("22", "23", "P0", "HG")
"""SQLSTATE classes of input function errors that a single asset's data may cause."""


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
        open_source: Callable[[], Connection[Any]],
    ) -> None:
        self._backend = backend
        self._open_source = open_source
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
        chunk = held.chunk
        if find_spec("numpy") is None:
            missing = "the runner lacks numpy, which handlers need: install headgate[handlers]"
            return _report(Done([Job(x, "deferred", missing) for x in chunk.asset_ids]), None)
        with spool_of(held.handling) as folder:
            if folder is not None and not self._backend.is_local:
                elsewhere = "files and streams need the runner's own processes, not a Dask cluster"
                return _report(Done([Job(x, "deferred", elsewhere) for x in chunk.asset_ids]), None)
            return await self._compute(held, folder)

    async def _compute(self, held: HandlerLease, folder: Path | None) -> Report:
        chunk = held.chunk
        refused = _refused(held)
        wanted = [x for x in chunk.asset_ids if x not in refused]
        is_streamed = held.handling.input_format is not None
        given = Input()
        faults: dict[int, Job] = {}
        if wanted and not is_streamed:
            given, faults = await self._read(held, wanted)
        faults |= refused
        sound = [x for x in wanted if x not in faults]
        done = Done([])
        position: str | None = None
        files: list[dict[str, Any]] = []
        if sound:
            task = _task(held, given, sound, folder)
            if is_streamed and folder is not None:
                done, position = await self._run_fed(held, task, folder)
            else:
                done = await self._backend.run(task)
            logger.debug(
                "chunk %s: %s took %.3f s, %s MB",
                chunk.chunk_id,
                chunk.handler,
                done.seconds,
                done.peak_memory >> 20,
            )
            files, unsent = await put_files(held.handling.store, folder, done)
            done.jobs = [unsent.get(job.asset_id, job) for job in done.jobs]
        report = _report(done, held.handling)
        report.files = files
        report.position = position
        for job in faults.values():
            report.add(job.asset_id, job.outcome, fault=job.fault, error=job.error)
        if faults and report.rows is not None:
            report.rows.counts.extend([0] * len(faults))
        return report

    async def _run_fed(
        self, held: HandlerLease, task: Task, folder: Path
    ) -> tuple[Done, str | None]:
        """Run a task whose input comes through a pipe; an error of the input ends its jobs.

        Also return how far a table's changes were read.
        """
        handling, pipe = held.handling, make_pipe(folder)
        function, form = handling.input_function or "", handling.input_format or ""
        is_unwanted = threading.Event()
        feeding = asyncio.create_task(
            asyncio.to_thread(
                feed, self._open_source, pipe, function, form, handling.context,
                task.asset_ids[0], is_unwanted,
            )
        )  # fmt: skip
        try:
            done = await self._backend.run(replace(task, stream=str(pipe)))
        finally:
            is_unwanted.set()
            (ended,) = await asyncio.gather(feeding, return_exceptions=True)
        if isinstance(ended, psycopg.Error | HeadgateError):
            return Done(_blamed(function, ended, task.asset_ids)), None
        if isinstance(ended, Unwanted):
            return done, None
        if isinstance(ended, BaseException):
            raise ended
        return done, ended

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
            jobs = _blamed(function, exc, asset_ids)
        if len(asset_ids) == 1 or jobs[0].outcome == "deferred":
            return Input(), {job.asset_id: job for job in jobs}
        half = len(asset_ids) // 2
        left, faults = await self._read(held, asset_ids[:half])
        right, more = await self._read(held, asset_ids[half:])
        given = Input(left.columns or right.columns, left.cells + right.cells)
        return given, faults | more


def _blamed(function: str, exc: psycopg.Error | HeadgateError, asset_ids: list[int]) -> list[Job]:
    """Return the jobs of assets whose input cannot be read: failed for bad data, else deferred."""
    if isinstance(exc, psycopg.Error):
        told, state = str(from_psycopg(exc)), exc.sqlstate or ""
    else:
        told, state = str(exc), exc.code or ""
    outcome = "failed" if state.startswith(OF_THE_DATA) else "deferred"
    return [Job(x, outcome, f"{function}: {told}") for x in asset_ids]


def _refused(held: HandlerLease) -> dict[int, Job]:
    """Return the failed jobs of assets whose file cannot be named."""
    refused = held.handling.refused
    return {
        asset_id: Job(asset_id, "failed", refused[code])
        for asset_id, code in zip(held.chunk.asset_ids, held.handling.codes, strict=True)
        if code in refused
    }


def _task(held: HandlerLease, given: Input, asset_ids: list[int], folder: Path | None) -> Task:
    chunk, handling = held.chunk, held.handling
    places = {asset_id: nth for nth, asset_id in enumerate(chunk.asset_ids)}
    return Task(
        handler=chunk.handler or "",
        operation=chunk.operation,
        context=handling.context,
        asset_ids=asset_ids,
        codes=[handling.codes[places[x]] for x in asset_ids],
        watermarks=[handling.watermarks[places[x]] for x in asset_ids],
        input=given,
        row_type=handling.row_type,
        timeout_seconds=handling.timeout_seconds,
        max_memory=handling.max_memory,
        environment=handling.environment,
        options=handling.options,
        names=[handling.names[places[x]] for x in asset_ids] if handling.names else [],
        folder=None if folder is None else str(folder),
    )


def _report(done: Done, handling: Handling | None) -> Report:
    report = Report()
    share = int(1000 * done.seconds / len(done.jobs)) if done.jobs else 0
    for job in done.jobs:
        report.add(
            job.asset_id,
            "retry" if job.outcome == "unknown" else job.outcome,
            fault=job.fault,
            error=job.error,
            requests=int(job.outcome == "unknown"),
            charged=int(job.outcome == "unknown"),
            duration_ms=share,
            answer=job.output,
        )
    if done.peak_memory and done.jobs:
        report.peak_memory = done.peak_memory
        report.cpu_ms = round(1000 * done.cpu_seconds / len(done.jobs))
    if done.rows and handling is not None and handling.row_type is not None:
        report.rows = Rows(done.rows, handling.row_type, done.row_counts)
    return report
