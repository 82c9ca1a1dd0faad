"""A shop with three things to look at and a queue of its own, as most commands need it."""

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
    """Write the plan."""
    write_plan(core_plan, assets=3)
    return core_plan


@pytest.fixture
def monday(shop: Plan) -> Plan:
    """Start a run of it, which no runner carries yet."""
    start(shop, "monday-1")
    shop.advance()
    return shop


@pytest.fixture
def shown(run: Run, core: Settings) -> Ask:
    """Run a command that succeeds; return what it prints for a person."""

    def call(*arguments: str) -> str:
        result = run(*arguments, settings=core)
        assert result.code == 0, result.err
        return str(result.out)

    return call


@pytest.fixture
def asked(run: Run, core: Settings) -> Ask:
    """Run a command that succeeds with --json; return the document."""

    def call(*arguments: str) -> Any:
        result = run(*arguments, "--json", settings=core)
        assert result.code == 0, result.err
        return json.loads(result.out)

    return call


@pytest.fixture
def refused(run: Run, core: Settings) -> Ask:
    """Run a command that is refused; return the error and the hint."""

    def call(*arguments: str, code: int = 1) -> str:
        result = run(*arguments, settings=core)
        assert result.code == code
        assert (result.out, "Traceback" in result.err) == ("", False)
        return str(result.err)

    return call
