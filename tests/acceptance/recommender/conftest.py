"""Set-up of the recommender: a source database with a reader's role, both services, and a worker."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from psycopg.conninfo import make_conninfo

from headgate.database import connect, dsn_of
from headgate.demo.recommender import fill, let_read
from headgate.demo.services import StandIn, noblestride, running
from headgate.settings import Settings
from tests.carried import carried
from tests.plan import Plan, Row

READER = f"headgate_test_noblestride_{os.getpid()}"


@dataclass
class World:
    """The plan, its source database and services, and a function that runs a pipeline."""

    plan: Plan
    source: Plan
    fastapi: StandIn
    nodejs: StandIn
    settings: Settings
    run: Callable[..., Awaitable[str]]

    def steps(self, run_id: str) -> dict[str, str]:
        """Return each step's status."""
        rows = self.plan.sql(
            "select step, status from headgate.v_execution_steps where run_id = %(r)s", r=run_id
        )
        return {x["step"]: x["status"] for x in rows}

    def output(self, run_id: str, step: str) -> Any:
        """Return a step's output."""
        return self.plan.scalar(
            "select document #> array['steps', %(step)s, 'output'] from headgate.v_run_documents where run_id = %(r)s",
            step=step,
            r=run_id,
        )

    def posted(self) -> list[Any]:
        """Return the bodies posted to the recommender's service."""
        return [x.ask.json() for x in self.fastapi.calls if x.ask.method == "POST"]

    def health(self, run_id: str) -> dict[str, str]:
        """Return the services' health from the run's report."""
        found = self.plan.scalar(
            "select report -> 'services_health' from recommender.reports where run_id = %(r)s",
            r=run_id,
        )
        assert found["check_timestamp"].endswith("Z")
        return {x: found[f"{x}_service"] for x in ("fastapi", "nodejs")}

    def errors(self, run_id: str) -> list[str]:
        """Return the reasons of a run's unsuccessful jobs."""
        rows = self.plan.sql(
            "select h.reason from headgate.v_asset_processing_history as h"
            " where h.run_id = %(r)s and h.status <> 'success' order by h.ended_at",
            r=run_id,
        )
        return [x["reason"] for x in rows]

    def model(self) -> Row:
        """Return the newest model."""
        return self.plan.sql("select * from recommender.models order by trained_at desc limit 1")[0]


@pytest.fixture
def source_settings(clone_for_test: Callable[..., Settings]) -> Settings:
    """Return the settings of the application's database, still empty."""
    return clone_for_test(None)


@pytest.fixture
def source(source_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plan]:
    """Fill the application's database, and let a role read it."""
    with connect(source_settings, "test") as connection:
        plan = Plan(connection)
        fill(connection)
        password = let_read(connection, READER)
        dsn = make_conninfo(dsn_of(source_settings), user=READER, password=password)
        monkeypatch.setenv("NOBLESTRIDE_POSTGRES_DSN", dsn)
        try:
            yield plan
        finally:
            plan.sql(f"drop owned by {READER}")
            plan.sql(f"drop role {READER}")


@pytest.fixture
def services() -> Iterator[dict[str, StandIn]]:
    """Run both services on free ports."""
    with running(noblestride.services()) as started:
        yield started


@pytest.fixture
def world(small_database: Settings, source: Plan, services: dict[str, StandIn]) -> Iterator[World]:
    """Point the plan at the services and the source database."""
    with connect(small_database, "test") as connection:
        plan = Plan(connection)
        for name, service in services.items():
            plan.call("set_provider", p_provider=name, p_changes={"base_url": service.url})
        plan.sql(
            "update headgate.pipeline_steps set retries = 0"
        )  # so that a failure ends the run at once

        async def run(pipeline: str, **params: Any) -> str:
            return await carried(small_database, plan, pipeline, params)

        fastapi, nodejs = services["noblestride_fastapi"], services["noblestride_nodejs"]
        yield World(plan, source, fastapi, nodejs, small_database, run)
