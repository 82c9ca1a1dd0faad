"""The recommender's world: a source database with a reader's role, both services, and a worker."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from psycopg import sql
from psycopg.conninfo import make_conninfo

from headgate.database import connect, dsn_of
from headgate.demo.recommender import fill
from headgate.settings import Settings
from headgate.worker.worker import work
from tests.limits import PATIENCE
from tests.plan import Plan, Row

READER = f"headgate_test_noblestride_{os.getpid()}"
PASSWORD = "only-in-this-test"


@dataclass
class Service:
    """One of the two services: what it answers, and what it was asked."""

    health: int = 200
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    url: str = ""

    def app(self) -> web.Application:
        """Return what serves it."""
        app = web.Application()
        app.router.add_get("/health", self._health)
        app.router.add_post("/api/model/training-complete", self._complete)
        return app

    async def _health(self, request: web.Request) -> web.Response:
        self.asked.append(("GET", request.path, None))
        return web.json_response(
            {"status": "ok" if self.health == 200 else "down"}, status=self.health
        )

    async def _complete(self, request: web.Request) -> web.Response:
        """As the real one: a body without a model's four fields is refused by 422."""
        body = await request.json()
        self.asked.append(("POST", request.path, body))
        wanted = {"model_type", "training_samples", "training_timestamp", "model_version"}
        if missing := sorted(wanted - body.keys()):
            return web.json_response({"detail": f"missing: {missing}"}, status=422)
        return web.json_response({"status": "success", "message": body["model_version"]})

    def posted(self) -> list[Any]:
        """Return the bodies that were posted."""
        return [body for method, _, body in self.asked if method == "POST"]


@dataclass
class World:
    """All of it."""

    plan: Plan
    source: Plan
    fastapi: Service
    nodejs: Service
    run: Callable[..., Awaitable[str]]

    def steps(self, run_id: str) -> dict[str, str]:
        """Return each step's status."""
        rows = self.plan.sql(
            "select step, status from headgate.v_execution_steps where run_id = %(r)s", r=run_id
        )
        return {x["step"]: x["status"] for x in rows}

    def output(self, run_id: str, step: str) -> Any:
        """Return what a step hands on."""
        return self.plan.scalar(
            "select document #> array['steps', %(step)s, 'output'] from headgate.v_run_documents where run_id = %(r)s",
            step=step,
            r=run_id,
        )

    def model(self) -> Row:
        """Return the newest model."""
        return self.plan.sql("select * from recommender.models order by trained_at desc limit 1")[0]


@pytest.fixture
def source(
    clone_for_test: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Plan]:
    """Make the application's database, and a role that may only read it."""
    settings = clone_for_test(None)
    with connect(settings, "test") as connection:
        plan = Plan(connection)
        fill(connection)
        connection.execute(
            sql.SQL("create role {} login password {}").format(sql.Identifier(READER), PASSWORD)
        )
        plan.sql(f"grant select on all tables in schema public to {READER}")
        dsn = make_conninfo(dsn_of(settings), user=READER, password=PASSWORD)
        monkeypatch.setenv("NOBLESTRIDE_POSTGRES_DSN", dsn)
        try:
            yield plan
        finally:
            plan.sql(f"drop owned by {READER}")
            plan.sql(f"drop role {READER}")


@pytest.fixture
async def services() -> Any:
    """Serve both on free ports of this machine."""
    made = [Service(), Service()]
    runners = []
    for service in made:
        runner = web.AppRunner(service.app())
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        service.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        runners.append(runner)
    yield made
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
def world(small_database: Settings, source: Plan, services: list[Service]) -> Iterator[World]:
    """Point the plan at them."""
    with connect(small_database, "test") as connection:
        plan = Plan(connection)
        for name, service in zip(("fastapi", "nodejs"), services, strict=True):
            plan.call(
                "set_provider",
                p_provider=f"noblestride_{name}",
                p_changes={"base_url": service.url},
            )

        plan.sql("update headgate.pipeline_steps set retries = 0")  # a failure ends the run at once

        async def run(pipeline: str, **params: Any) -> str:
            started = plan.call("run_pipeline", p_pipeline=pipeline, p_params=params)
            run_id = str(started[0]["run_id"])

            async def has_ended() -> bool:
                status = plan.call("execution_status", p_pipeline=pipeline, p_run_id=run_id)
                return bool(status[0]["status"] not in ("running", "paused"))

            async with asyncio.timeout(PATIENCE):
                await work(small_database, until=has_ended, processes=1)
            return run_id

        fastapi, nodejs = services
        yield World(plan, source, fastapi, nodejs, run)
