"""Runs handlers on a Dask cluster, with the same contract as in local processes.

The cluster's workers need this package and the handlers' imports, but no access to the database: a
task carries its input, and its result carries the rows. On each worker a task runs in a separate
process, so that its time and memory are limited there, too. If a worker is lost, Dask runs its
tasks on another one.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from headgate.errors import HeadgateError
from headgate.handlers.pool import Pool
from headgate.handlers.pool_messages import Done, Work, WorkLost
from headgate.shown import redacted

logger = logging.getLogger(__name__)

CONNECT_SECONDS: Final = 10
GRACE_SECONDS: Final = 60.0
"""Seconds beyond a task's time limit, to wait for a free worker or to replace a lost one."""
REFRESH_SECONDS: Final = 5.0

_pools: dict[asyncio.AbstractEventLoop, Pool] = {}


async def compute_here(task: Work) -> Done:
    """Run a task on the Dask worker that calls this function."""
    loop = asyncio.get_running_loop()
    pool = _pools.get(loop)
    if pool is None:
        from distributed import get_worker

        pool = _pools[loop] = Pool(get_worker().state.nthreads)
    return await pool.run(task)


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
        future = client.submit(compute_here, task, pure=False)
        try:
            async with asyncio.timeout(task.timeout_seconds + GRACE_SECONDS):
                done: Done = await future
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
