"""Runs handlers on a Dask cluster, with the same contract as in local processes.

The cluster's workers need this package and the handlers' imports, but no access to the database or
to stores: a task carries its input and the files it reads, and its result carries files and rows,
also those for a stage. On each worker a task runs in a separate process, so that its time and
memory are limited there, too. If a worker is lost, Dask runs its tasks on another one.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeAlias

from headgate.errors import HeadgateError
from headgate.handlers.pool import Pool
from headgate.handlers.pool_messages import Done, Parsing, Task, Work, WorkLost
from headgate.shown import redacted

logger = logging.getLogger(__name__)

CONNECT_SECONDS: Final = 10
GRACE_SECONDS: Final = 60.0
"""Seconds beyond a task's time limit, to wait for a free worker or to replace a lost one."""
REFRESH_SECONDS: Final = 5.0
PREFIX: Final = "headgate-dask-"
MAX_BYTES: Final = 256 * 1024 * 1024
"""The most bytes of files that travel with a task, or with its result."""

_pools: dict[asyncio.AbstractEventLoop, Pool] = {}


Contents: TypeAlias = dict[str, bytes]
"""The contents of files by their names in a task's folder."""


async def compute_here(task: Work, contents: Contents) -> tuple[Done, Contents]:
    """Run a task on the Dask worker that calls this function; return what it made, with files."""
    loop = asyncio.get_running_loop()
    pool = _pools.get(loop)
    if pool is None:
        from distributed import get_worker

        pool = _pools[loop] = Pool(get_worker().state.nthreads)
    if isinstance(task, Parsing) or task.folder is None:
        return await pool.run(task), {}
    with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
        await asyncio.to_thread(_write, folder, contents)
        task, made = replace(task, folder=folder), list[str]()
        if task.stage is not None:  # its rows wait in a file, and not in a pipe to the runner
            made = [Path(task.stage.pipe).name]
            Path(folder, *made).touch()
            task = replace(task, stage=replace(task.stage, pipe=str(Path(folder, *made))))
        done = await pool.run(task)
        made += [file.file for file in done.files]
        return done, await asyncio.to_thread(_read, folder, made)


def _read(folder: str, files: Iterable[str]) -> Contents:
    """Return files' contents. Raises WorkLost if they are too large to be sent."""
    places = [Path(folder) / file for file in files]
    if (size := sum(place.stat().st_size for place in places)) > MAX_BYTES:
        raise WorkLost(
            f"its files have {size >> 20} MB, and {MAX_BYTES >> 20} MB at most travel to and from "
            "a Dask cluster: use smaller files, or the runner's own processes"
        )
    return {place.name: place.read_bytes() for place in places}


def _write(folder: str, contents: Contents) -> None:
    for name, content in contents.items():
        (Path(folder) / name).write_bytes(content)


class DaskBackend:
    """An ExecutorBackend that runs handlers on a Dask cluster."""

    is_local = False

    def __init__(self, address: str) -> None:
        self.size = 1
        self._address = address
        self._client: Any = None  # distributed has no types
        self._counted_at = 0.0

    async def start(self) -> None:
        """Connect to the scheduler. Raises HeadgateError if that fails."""
        try:
            import dask
            from distributed import Client
        except ModuleNotFoundError as exc:
            raise HeadgateError(
                "a Dask cluster needs the package distributed, which is not installed",
                hint='Install it: pip install "headgate[dask]"',
            ) from exc
        dask.config.set({"distributed.admin.large-graph-warning-threshold": "1GB"})
        try:
            connecting: Any = Client
            self._client = await connecting(
                self._address, asynchronous=True, timeout=CONNECT_SECONDS, set_as_default=False
            )
        except (OSError, ValueError) as exc:
            raise HeadgateError(
                f"no Dask scheduler answers at {self._address}",
                hint="start one: dask scheduler --host 127.0.0.1, and workers: dask worker ADDRESS",
            ) from exc
        await self._count()
        logger.info("handlers run on %s, %s at once", self._address, self.size)

    async def run(self, task: Work) -> Done:
        """Run a task on the cluster. Raises WorkLost if it died, hung or took too much memory."""
        client = self._client
        if asyncio.get_running_loop().time() > self._counted_at + REFRESH_SECONDS:
            await self._count()
        folder = task.folder if isinstance(task, Task) else None
        files = [file.file for file in task.files] if isinstance(task, Task) else []
        contents = await asyncio.to_thread(_read, folder or "", files)
        future = client.submit(compute_here, task, contents, pure=False)
        try:
            async with asyncio.timeout(task.timeout_seconds + GRACE_SECONDS):
                done: Done
                done, contents = await future
        except TimeoutError:
            raise WorkLost(f"it took longer than {task.timeout_seconds:g} seconds") from None
        except WorkLost:
            raise
        except Exception as exc:
            raise WorkLost(
                f"Dask reports {type(exc).__name__}: {redacted(str(exc))[:200]}"
            ) from exc
        finally:
            future.release()
        if folder is not None:
            await asyncio.to_thread(_write, folder, contents)
        return done

    async def aclose(self) -> None:
        """Disconnect from the cluster; results of tasks that still run are dropped."""
        if self._client is not None:
            await self._client.close()

    async def _count(self) -> None:
        """Update the number of tasks that the cluster can run at once, as workers come and go."""
        self._counted_at = asyncio.get_running_loop().time()
        threads: dict[Any, int] = await self._client.nthreads()
        self.size = max(1, sum(threads.values()))
