"""Each command logs in as the role with the rights it needs, and no more."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.database import connect
from tests.plan import Plan
from tests.runner.cli.commands.conftest import Ask

READING = (
    ["pipelines"],
    ["operations"],
    ["assets"],
    ["quota"],
    ["pools"],
    ["checks"],
    ["runners"],
    ["show", "T1"],
    ["status", "monday-1"],
    ["logs", "monday-1"],
)
ACTING = (
    ["pause", "small_shop"],
    ["resume", "small_shop"],
    ["cancel", "monday-1"],
    ["skip", "monday-1", "all"],
    ["mark", "monday-1", "all", "failed"],
)


@pytest.fixture
def roles(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """Record the roles with which commands log in."""
    noted: list[str | None] = []

    def note(*arguments: Any, **named: Any) -> Any:
        noted.append(named.get("role"))
        return connect(*arguments, **named)

    monkeypatch.setattr("headgate.cli.commands.console.connect", note)
    return noted


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_commands_that_read_use_the_reader(shown: Ask, monday: Plan, roles, arguments: list[str]):
    shown(*arguments)

    assert roles == ["headgate_reader"]


@pytest.mark.parametrize("arguments", ACTING, ids=" ".join)
def test_commands_that_act_use_the_planner(shown: Ask, monday: Plan, roles, arguments: list[str]):
    shown(*arguments)

    assert roles == ["headgate_planner"]
