"""Fixtures for commands: a shop with three assets and its own queue, a run, and calls of commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from headgate.database import connect
from headgate.settings import Settings
from tests import clock
from tests.plan import Plan
from tests.runner.conftest import Run
from tests.runner.small_plan import start, write_plan

Ask = Callable[..., Any]
Clone = Callable[[Settings | None], Settings]


@pytest.fixture(scope="session")
def shop_template(clone: Clone, core_template: Settings) -> Settings:
    """Insert the plan once, at the moment at which a clone's clock starts."""
    settings = clone(core_template)
    with connect(settings, "test") as connection:
        plan = Plan(connection)
        plan.freeze_clock(clock.NOW)
        write_plan(plan, assets=3)
        plan.call("note_schema")  # so that the plan's own objects are no finding of doctor's
    return settings


@pytest.fixture(scope="session")
def monday_template(clone: Clone, shop_template: Settings) -> Settings:
    """Start a run once that no runner works on yet."""
    settings = clone(shop_template)
    with connect(settings, "test") as connection:
        plan = Plan(connection)
        plan.freeze_clock(clock.NOW)
        start(plan, "monday-1")
        plan.advance()
    return settings


@pytest.fixture
def core_database(request: pytest.FixtureRequest, clone_for_test: Clone) -> Settings:
    """Clone the database that has what the test asks for: cloning is quicker than inserting it."""
    wanted = [x for x in ("monday", "shop") if x in request.fixturenames]
    source: Settings = request.getfixturevalue(f"{wanted[0] if wanted else 'core'}_template")
    return clone_for_test(source)


@pytest.fixture
def shop(core_plan: Plan) -> Plan:
    """Connect to a database with the plan."""
    return core_plan


@pytest.fixture
def monday(shop: Plan) -> Plan:
    """Connect to a database with a run that no runner works on yet."""
    return shop


@pytest.fixture
def shown(run: Run, core: Settings) -> Ask:
    """Run a command that succeeds; return its text output."""

    def call(*arguments: str) -> str:
        result = run(*arguments, settings=core)
        assert result.code == 0, result.err
        return str(result.out)

    return call


@pytest.fixture
def asked(run: Run, core: Settings) -> Ask:
    """Run a command with --json that succeeds; return the document."""

    def call(*arguments: str) -> Any:
        result = run(*arguments, "--json", settings=core)
        assert result.code == 0, result.err
        return json.loads(result.out)

    return call


@pytest.fixture
def refused(run: Run, core: Settings) -> Ask:
    """Run a command that fails; return the error and the hint."""

    def call(*arguments: str, code: int = 1) -> str:
        result = run(*arguments, settings=core)
        assert result.code == code
        assert (result.out, "Traceback" in result.err) == ("", False)
        return str(result.err)

    return call
