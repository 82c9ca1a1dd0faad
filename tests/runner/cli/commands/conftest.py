"""Fixtures for commands: a shop with three assets and its own queue, a run, and calls of commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from headgate.settings import Settings
from tests.plan import Plan
from tests.runner.conftest import Run
from tests.runner.small_plan import start, write_plan

Ask = Callable[..., Any]


@pytest.fixture
def shop(core_plan: Plan) -> Plan:
    """Insert the plan."""
    write_plan(core_plan, assets=3)
    core_plan.call("note_schema")  # so that the plan's own objects are no finding of doctor's
    return core_plan


@pytest.fixture
def monday(shop: Plan) -> Plan:
    """Start a run that no runner works on yet."""
    start(shop, "monday-1")
    shop.advance()
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
