"""A night for alerts and dashboards to look at: a flywheel has turned, and a run waits for a provider."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from headgate.settings import Settings
from tests.acceptance.viral.conftest import FLYWHEEL, World, opened
from tests.conftest import Clones
from tests.plan import Plan

EQUITIES = "data_collection_equities"


@pytest.fixture(scope="module")
def night(
    clone: Clones, small_template: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Plan]:
    """Return the database after it."""
    settings = clone(small_template)
    with opened(settings, tmp_path_factory.mktemp("night")) as world:
        _answer_nonsense_once(world)
        asyncio.run(world.run(FLYWHEEL))
        _leave_work(world.plan)
        yield world.plan
    clone.drop(settings)


def _answer_nonsense_once(world: World) -> None:
    """Let one text fail."""
    service, place = world.services["viral_pattern_engine"], ("POST", "/extract-patterns")
    served = service.routes[place]
    nonsense: list[Any] = [[]]
    service.routes = {
        **service.routes,
        place: lambda ask: nonsense.pop() if nonsense else served(ask),
    }


def _leave_work(plan: Plan) -> None:
    """Queue what a small quota allows, block the provider until long after, and have a runner look on."""
    changes = {"quota": 500, "buffer": 0}
    plan.call("set_provider", p_provider="eodhd", p_changes=changes)
    plan.call("run_pipeline", p_pipeline=EQUITIES)
    plan.advance()
    blocked = {"blocked_until": "2099-01-01T00:00:00Z", "reason": "their maintenance"}
    plan.call("set_provider", p_provider="eodhd", p_changes=blocked)
    runner = {"p_runner": "idle", "p_host": "here", "p_pid": 0, "p_version": ""}
    plan.call("heartbeat", **runner, p_figures={"disk_percent": 40})
