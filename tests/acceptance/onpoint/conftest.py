"""Set-up of OnPoint: stand-ins for the crawled services on local ports, and a worker in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from headgate.database import connect
from headgate.demo.services import StandIn, onpoint, running
from headgate.settings import Settings
from headgate.worker.worker import work
from tests.limits import PATIENCE
from tests.plan import Plan, Row

DATA, MONITORING = "onpoint_data_pipeline", "pipeline_monitoring"


@dataclass
class Lake:
    """The plan's database, and the services that it crawls."""

    plan: Plan
    services: dict[str, StandIn]
    folder: Path
    """Folder of both stores, `files` and `lake`."""
    run: Callable[..., Awaitable[str]]
    go_on: Callable[[str, str], Awaitable[None]]

    def steps(self, run_id: str) -> dict[str, str]:
        """Return each step's status."""
        rows = self.plan.sql(
            "select step, status from headgate.v_execution_steps where run_id = %(r)s", r=run_id
        )
        return {x["step"]: x["status"] for x in rows}

    def output(self, run_id: str, step: str) -> Any:
        """Return a step's output."""
        return self.plan.scalar(
            "select document #> array['steps', %(step)s, 'output']"
            " from headgate.v_run_documents where run_id = %(r)s",
            step=step,
            r=run_id,
        )

    def tables(self) -> Row:
        """Return the number of rows of each table."""
        (row,) = self.plan.sql(
            "select (select count(*) from onpoint.posts) as posts,"
            " (select count(*) from onpoint.users) as users,"
            " (select count(*) from onpoint.comments) as comments,"
            " (select count(*) from onpoint.stories) as stories"
        )
        return row


@pytest.fixture
def lake(small_database: Settings, tmp_path: Path) -> Iterator[Lake]:
    """Point the plan's providers at stand-ins, and its stores at folders."""
    with (
        running(onpoint.services()) as services,
        connect(small_database, "test") as connection,
    ):
        plan = Plan(connection)
        for name, service in services.items():
            changes = {"base_url": service.url, "requests_per_minute": 600_000}
            plan.call("set_provider", p_provider=f"onpoint_{name}", p_changes=changes)
        for name in ("files", "lake"):
            plan.call("set_store", p_store=f"onpoint_{name}", p_url=f"file://{tmp_path}/{name}")
        plan.sql("update headgate.pipeline_steps set retries = 0")  # a failure ends the run at once

        async def go_on(pipeline: str, run_id: str) -> None:
            async def has_ended() -> bool:
                (row,) = plan.call("execution_status", p_pipeline=pipeline, p_run_id=run_id)
                return bool(row["status"] not in ("running", "paused"))

            async with asyncio.timeout(PATIENCE):
                await work(small_database, until=has_ended, processes=1)

        async def run(pipeline: str, **params: Any) -> str:
            (started,) = plan.call("run_pipeline", p_pipeline=pipeline, p_params=params)
            run_id = str(started["run_id"])
            await go_on(pipeline, run_id)
            return run_id

        yield Lake(plan, services, tmp_path, run, go_on)
