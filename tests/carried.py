"""Runs of shipped plans, carried to their end by a worker in this process."""

from __future__ import annotations

import asyncio
from typing import Any

from headgate.settings import Settings
from headgate.worker.worker import work
from tests.limits import PATIENCE
from tests.plan import Plan


async def go_on(settings: Settings, plan: Plan, pipeline: str, run_id: str) -> None:
    """Work until a run has ended."""

    async def has_ended() -> bool:
        row = plan.row("execution_status", p_pipeline=pipeline, p_run_id=run_id)
        return row["status"] not in ("running", "paused")

    async with asyncio.timeout(PATIENCE):
        await work(settings, until=has_ended, processes=1)


async def carried(settings: Settings, plan: Plan, pipeline: str, params: dict[str, Any]) -> str:
    """Run a pipeline to its end; return the run's name."""
    run_id = str(plan.row("run_pipeline", p_pipeline=pipeline, p_params=params)["run_id"])
    await go_on(settings, plan, pipeline, run_id)
    return run_id
