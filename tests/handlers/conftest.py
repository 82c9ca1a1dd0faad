"""A core without plans, an operation that computes, and a worker to run it."""

from __future__ import annotations

import asyncio

import pytest

from runner.worker import work
from tests.handlers.compute_plan import status
from tests.runner.conftest import core_database, core_plan

__all__ = ["core_database", "core_plan"]


@pytest.fixture
def plan(core_plan):
    return core_plan


@pytest.fixture
def run(core_database, plan):
    """Work until an execution has ended."""

    async def work_off(run_id: str = "r1", seconds: float = 180, **more):
        async def has_ended() -> bool:
            return bool(status(plan, run_id)["status"] != "running")

        async with asyncio.timeout(seconds):
            return await work(core_database, until=has_ended, **{"processes": 1, **more})

    return work_off
