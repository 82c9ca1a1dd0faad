"""Set-up of the flywheel: its five services on local ports before one audience, and a worker in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from headgate.database import connect
from headgate.demo.services import Answer, Ask, Reply, StandIn, running, viral
from headgate.demo.services.audience import Audience
from headgate.demo.services.stage import locate
from headgate.settings import Settings
from tests import clock
from tests.carried import carried
from tests.conftest import Clones
from tests.plan import Plan

FLYWHEEL, MAINTENANCE = "viral_learning_flywheel", "viral_learning_maintenance"
POISONED = ({"post_url": "https://posts.test/x", "content": "a", "likes": -1}, "no post")
NONSENSE: tuple[object, ...] = (
    [],
    {"hook_patterns": [1], "emotion_patterns": [], "pattern_strength": 0.5},
    {},
)


@dataclass
class World:
    """The plan's database, its services, and those who read what it publishes."""

    plan: Plan
    services: dict[str, StandIn]
    audience: Audience
    settings: Settings
    archive: Path

    def steps(self, run_id: str) -> dict[str, str]:
        """Return each step's status."""
        rows = self.plan.sql(
            "select step, status from headgate.v_execution_steps where run_id = %(r)s", r=run_id
        )
        return {x["step"]: x["status"] for x in rows}

    def status(self, run_id: str) -> str:
        """Return the run's status."""
        return str(
            self.plan.scalar(
                "select status from headgate.v_recent_executions where run_id = %(r)s", r=run_id
            )
        )

    def output(self, run_id: str, step: str) -> Any:
        """Return a step's output."""
        return self.plan.scalar(
            "select document #> array['steps', %(step)s, 'output']"
            " from headgate.v_run_documents where run_id = %(r)s",
            step=step,
            r=run_id,
        )

    def health(self, run_id: str) -> Any:
        """Return the run's report of the services' health."""
        return self.plan.scalar(
            "select report from viral.health_checks where run_id = %(r)s", r=run_id
        )

    def kpis(self, run_id: str) -> dict[str, float | None]:
        """Return the run's KPIs."""
        rows = self.plan.sql("select name, value from viral.kpis where run_id = %(r)s", r=run_id)
        return {x["name"]: x["value"] for x in rows}

    def set_threshold(self, milliseconds: int, service: str = "%") -> None:
        """Set from when on a service, by default each, is slow."""
        self.plan.sql(
            "update headgate.assets set attributes = attributes || jsonb_build_object('threshold_ms', %(ms)s::integer)"
            " where universe = 'viral_services' and code like %(s)s",
            ms=milliseconds,
            s=service,
        )

    async def run(self, pipeline: str, **params: Any) -> str:
        """Run a pipeline to its end."""
        return await carried(self.settings, self.plan, pipeline, params)

    async def turn(self, flywheels: int, apart: timedelta) -> list[str]:
        """Turn flywheels, with a maintenance after each fourth; return their runs."""
        began, turned = self.plan.value("clock"), []
        for nth in range(flywheels):
            self.move_clock(began + nth * apart)
            turned.append(await self.run(FLYWHEEL))
            if nth % 4 == 3:
                await self.run(MAINTENANCE)
        return turned

    def move_clock(self, at: datetime) -> None:
        """Move the clock of all sessions from now on, this one's too."""
        self.plan.connection.execute(clock.moved(self.settings.database, at))
        self.plan.offset_clock(clock.offset_to(at))


@contextmanager
def opened(settings: Settings, folder: Path) -> Iterator[World]:
    """Point the plan at its stand-ins, and its archive at a folder. No service is too slow, however slow the machine."""
    with connect(settings, "test") as connection:
        plan = Plan(connection)

        def now() -> datetime:
            with connect(settings, "test") as other:
                at: datetime = Plan(other).value("clock")
                return at

        audience = Audience(clock=now)
        with running(viral.services(audience, pace=0.0)) as services:
            locate(connection, "viral", {x: y.url for x, y in services.items()})
            plan.call("set_store", p_store="viral_archive", p_url=f"file://{folder}/archive")
            plan.sql(
                "update headgate.pipeline_steps set retries = 0"
            )  # so that a failure ends the run at once
            world = World(plan, services, audience, settings, folder / "archive")
            world.set_threshold(600_000)
            yield world


@pytest.fixture
def world(small_database: Settings, tmp_path: Path) -> Iterator[World]:
    """Open a world of its own."""
    with opened(small_database, tmp_path) as world:
        yield world


@pytest.fixture(scope="module")
def turned(
    clone: Clones, small_template: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[World, str]]:
    """Turn a flywheel once, with all that may go wrong without failing it, for tests that only look at it."""
    settings = clone(small_template)
    with opened(settings, tmp_path_factory.mktemp("viral")) as world:
        _go_wrong(world)
        yield world, asyncio.run(world.run(FLYWHEEL))
    clone.drop(settings)


def _go_wrong(world: World) -> None:
    """Poison posts, answer nonsense, leave out metrics, be slow, and put a script into a name."""

    def wrong(service: str, method: str, path: str, answer: Callable[[Answer, Ask], Any]) -> None:
        routes = world.services[service].routes
        served = routes[method, path]
        said = {(method, path): lambda ask: answer(served, ask)}
        world.services[service].routes = {**routes, **said}

    nonsense = [*NONSENSE]
    wrong(
        "viral_scraper",
        "GET",
        "/viral-posts",
        lambda served, ask: (said := served(ask)) | {"posts": [*said["posts"], *POISONED]},
    )
    wrong(
        "viral_pattern_engine",
        "POST",
        "/extract-patterns",
        lambda served, ask: nonsense.pop() if nonsense else served(ask),
    )
    wrong("persona_runtime", "GET", "/metrics", lambda *_: Reply(b"<h1>none</h1>", 404))
    world.set_threshold(0, "viral_engine")
    shown = world.audience.variants
    shown["<script>"] = replace(shown.pop("seed-0"), variant_id="<script>", rate=0.9)
