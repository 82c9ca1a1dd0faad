"""A core without plans, an operation that computes, and a worker to run it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from headgate.worker.chunks import Handling
from headgate.worker.worker import work
from tests.cluster import two_workers
from tests.limits import PATIENCE
from tests.runner.conftest import core_database, core_plan
from tests.runner.handlers.compute_plan import status

__all__ = ["core_database", "core_plan"]


@pytest.fixture
def plan(core_plan):
    return core_plan


@pytest.fixture
def hurry(monkeypatch):
    """Return a function after which only chunks with a certain asset keep their short time limit."""
    whole = Handling.from_row

    def hurry(code):
        def from_row(row):
            handling = whole(row)
            return (
                handling if code in handling.codes else replace(handling, timeout_seconds=PATIENCE)
            )

        monkeypatch.setattr(Handling, "from_row", from_row)

    return hurry


@pytest.fixture
def run(core_database, plan):
    """Work until an execution has ended."""

    async def work_off(run_id: str = "r1", **more):
        async def has_ended() -> bool:
            return bool(status(plan, run_id)["status"] != "running")

        async with asyncio.timeout(PATIENCE):
            return await work(core_database, until=has_ended, **{"processes": 1, **more})

    return work_off


@pytest.fixture
async def cluster(monkeypatch):
    """Start a Dask cluster of two workers."""
    import dask
    import distributed  # noqa: F401  # it has the settings' defaults

    monkeypatch.setattr("headgate.handlers.dask.CONNECT_SECONDS", PATIENCE)
    with dask.config.set({f"distributed.comm.timeouts.{x}": PATIENCE for x in ("connect", "tcp")}):
        async with two_workers() as opened:
            yield opened
