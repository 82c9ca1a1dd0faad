"""A pool of processes that run handlers, so that the worker's own process stays free for calls.

A process is started when there is work for it and kept while there is more. It is killed, with all
processes that it has started, if its work takes too long or its output cannot be read.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import signal
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from headgate.handlers.named import HANDLER, PARSER
from headgate.handlers.places import place_of
from headgate.handlers.pool_messages import (
    LARGEST_HEAD,
    LENGTHS,
    Done,
    Garbage,
    Parsing,
    Work,
    WorkLost,
    read_done,
)
from headgate.handlers.pool_process import LENGTH
from headgate.handlers.pool_tasks import TaskMemory
from headgate.secret_files import secret_of
from headgate.shown import learn, redacted

logger = logging.getLogger(__name__)

IDLE_SECONDS: Final = 30.0
KEEPER_SECONDS: Final = 5.0
KEPT_OUTPUT: Final = 2000
ALWAYS: Final = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(8 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(32 * 2**20),
}
"""Each process has its own core: additional threads of libraries would only compete for cores.

It keeps memory for its next arrays, instead of having the kernel clear it again for each.
"""
HARMLESS: Final = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_\w+|TZ|TZDIR|TMPDIR|VIRTUAL_ENV|PYTHON\w+"
    r"|(DY)?LD_LIBRARY_PATH|SYSTEMROOT|XDG_CACHE_HOME|SSL_CERT_(FILE|DIR)"
)
"""Variables that a program needs to start and that hold no secrets."""
WAYS_IN: Final = re.compile(r"PG.*|HEADGATE_((LISTEN_)?DSN|SECRETS|(\w+_)?PASSWORD)", re.IGNORECASE)
"""Variables that give access to the database: never passed to handlers, even if declared."""


class Pool:
    """Up to `size` processes; a task waits for a free one."""

    is_local = True

    def __init__(self, size: int) -> None:
        self.size = size
        self._room = asyncio.Semaphore(size)
        self._idle: list[Process] = []
        self._busy: set[Process] = set()
        """Processes at work, and processes that are being killed."""

    async def start(self) -> None:
        """Do nothing: processes start when there is work."""

    async def run(self, task: Work) -> Done:
        """Run a task. Raises WorkLost if its process died, hung or took too much memory."""
        task = _placed(task)
        async with self._room:
            process = await self._take(environ_of_handlers(os.environ, task.environment))
            process.stop_timer()
            self._busy.add(process)
            try:
                async with asyncio.timeout(task.timeout_seconds):
                    done = await process.ask(task)
            except TimeoutError:
                raise WorkLost(f"it took longer than {task.timeout_seconds:g} seconds") from None
            finally:
                if not process.is_ready:
                    await process.kill()  # if cancelled meanwhile, aclose kills it
                self._busy.discard(process)
            self._put_away(process, task, done)
            if done.lost is not None:
                raise WorkLost(done.lost)
            return done

    async def aclose(self) -> None:
        """Kill all processes, including those at work, and wait until they have ended."""
        processes = [*self._idle, *self._busy]
        self._idle.clear()
        await asyncio.gather(*(process.kill() for process in processes))

    async def _take(self, environ: dict[str, str]) -> Process:
        """Return a process with this environment: an idle one, or a new one, retiring another."""
        for process in reversed(self._idle):
            if process.environ == environ:
                self._idle.remove(process)
                return process
        if self._idle and len(self._idle) + len(self._busy) >= self.size:
            self._retire(self._idle[0])
        return await Process.start(environ)

    def _put_away(self, process: Process, task: Work, done: Done) -> None:
        if done.must_end is None:
            self._idle.append(process)
            process.start_timer(IDLE_SECONDS, lambda: self._retire(process))
        else:
            if done.lost is None:
                logger.warning(
                    "%s: its process is replaced: %s", task.handler, redacted(done.must_end)
                )
            self._kill_soon(process)

    def _retire(self, process: Process) -> None:
        if process in self._idle:
            self._idle.remove(process)
            self._kill_soon(process)

    def _kill_soon(self, process: Process) -> None:
        self._busy.add(process)
        process.killing = asyncio.create_task(process.kill())
        process.killing.add_done_callback(lambda _: self._busy.discard(process))


class Process:
    """One process: it runs one task at a time, with one set of environment variables."""

    def __init__(
        self, process: asyncio.subprocess.Process, environ: dict[str, str], memory: TaskMemory
    ) -> None:
        self.is_ready = True
        self.environ = environ
        self._process = process
        self._memory = memory
        self._line = b""
        self._last = ""
        """The last complete line that the process printed."""
        self._printed_bytes = 0
        self._draining = asyncio.create_task(self._drain())
        self._timer: asyncio.TimerHandle | None = None
        self.killing: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, environ: dict[str, str]) -> Process:
        """Start a process in a new session, which sees these environment variables."""
        memory = TaskMemory()
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "headgate.handlers.pool_process",
                str(os.getpid()),
                str(memory.descriptor),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=environ,
                pass_fds=(memory.descriptor,),
                start_new_session=True,
            )
        except BaseException:
            memory.close()
            raise
        return cls(process, environ, memory)

    async def ask(self, task: Work) -> Done:
        """Send a task and wait for its result. Raises WorkLost if the process ends before."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        self.is_ready = False
        self._printed_bytes = 0
        try:
            stdin.write(LENGTH.pack(self._memory.put(task)))
            await stdin.drain()
            answer = asyncio.ensure_future(self._answer(stdout, task))
            ended = asyncio.ensure_future(self._process.wait())
            try:
                await asyncio.wait({answer, ended}, return_when=asyncio.FIRST_COMPLETED)
                if not answer.done():  # its children may hold the pipe open
                    await asyncio.wait({answer}, timeout=0.1)
                if not answer.done():
                    raise ConnectionError
                done = answer.result()
            finally:
                answer.cancel()
                ended.cancel()
        except (ConnectionError, asyncio.IncompleteReadError, Garbage):
            raise WorkLost(await self._how_it_ended()) from None
        self.is_ready = True
        self._memory.shrink()
        if self._printed_bytes > KEPT_OUTPUT:
            logger.warning(
                "%s printed %s bytes, which were dropped", task.handler, self._printed_bytes
            )
        return done

    async def kill(self) -> None:
        """Kill the process and all it has started, through its keeper if that responds in time."""
        self.is_ready = False
        self.stop_timer()
        self._memory.close()
        with contextlib.suppress(ProcessLookupError, TimeoutError):
            self._process.terminate()
            async with asyncio.timeout(KEEPER_SECONDS):
                await self._process.wait()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        self._draining.cancel()
        transport = getattr(self._process, "_transport", None)
        if transport is not None:
            transport.close()

    def start_timer(self, seconds: float, what: object) -> None:
        """Call `what` after `seconds`, unless the timer is stopped before."""
        assert callable(what)
        self._timer = asyncio.get_running_loop().call_later(seconds, what)

    def stop_timer(self) -> None:
        """Cancel the timer, if there is one."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _answer(self, stdout: asyncio.StreamReader, task: Work) -> Done:
        """Read an answer, which is not trusted. Raises Garbage if it does not look like one."""
        lengths = LENGTHS.unpack(await stdout.readexactly(LENGTHS.size))
        if lengths[0] > LARGEST_HEAD or lengths[1] > task.max_memory:
            raise Garbage
        head = await stdout.readexactly(lengths[0])
        rows = self._memory.take(lengths[1])
        if len(rows) < lengths[1]:
            raise Garbage
        return read_done(head, rows, task)

    async def _how_it_ended(self) -> str:
        try:
            async with asyncio.timeout(1.0):
                code = await self._process.wait()
        except TimeoutError:
            return "its process answered with garbage"
        last = redacted(self._line.decode(errors="replace"), cut_after=True) or self._last
        said = f"; its last words: {last[:200]}" if last else ""
        if code < 0:
            return f"its process was killed by {signal.Signals(-code).name}{said}"
        return f"its process ended itself with code {code}{said}"

    async def _drain(self) -> None:
        """Read what handlers print; log the first bytes of each task, and only count the rest."""
        stderr = self._process.stderr
        assert stderr is not None
        while block := await stderr.read(65_536):
            room = max(0, KEPT_OUTPUT - self._printed_bytes)
            self._printed_bytes += len(block)
            *lines, self._line = (self._line + block[:room]).split(b"\n")
            for line in lines:
                self._hear(line)
            if self._line and self._printed_bytes > KEPT_OUTPUT:
                self._hear(self._line, is_cut=True)
                self._line = b""

    def _hear(self, line: bytes, *, is_cut: bool = False) -> None:
        said = redacted(line.decode(errors="replace"), cut_after=is_cut)
        if said:
            self._last = said
            logger.info("a handler says: %s", said)


def _placed(task: Work) -> Work:
    """Return the task with its function's place; without it, the process looks and tells errors."""
    with contextlib.suppress(Exception):
        kind = PARSER if isinstance(task, Parsing) else HANDLER
        return replace(task, place=place_of(kind.group, task.handler))
    return task


def environ_of_handlers(environ: Mapping[str, str], declared: Iterable[str]) -> dict[str, str]:
    """Return the variables that handlers see: the harmless ones, and the declared ones.

    Values of declared variables are redacted from errors and logs. The database refuses to declare
    providers' secrets.
    """
    given = {x: secret_of(x, environ) for x in declared if not WAYS_IN.fullmatch(x)}
    given = {name: value for name, value in given.items() if value or name in environ}
    for value in filter(None, given.values()):
        learn(value)
    harmless = {name: value for name, value in environ.items() if HARMLESS.fullmatch(name)}
    return harmless | given | ALWAYS
