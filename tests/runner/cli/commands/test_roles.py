"""Each command logs in as the role with the rights it needs, and no more."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from psycopg.conninfo import make_conninfo

from headgate.database import connect, dsn_of
from headgate.settings import Settings
from tests.plan import Plan
from tests.runner.cli.commands.conftest import Ask
from tests.runner.conftest import Run

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


@pytest.fixture
def run_as(run: Run, core: Settings) -> Callable[..., SimpleNamespace]:
    """Run a command with a login that is this role alone."""

    def call(role: str, *arguments: str) -> SimpleNamespace:
        dsn = make_conninfo(dsn_of(core), user=f"headgate_{role}")
        result: SimpleNamespace = run(*arguments, HEADGATE_DSN=dsn, HEADGATE_DB=str(core.db))
        assert "Traceback" not in result.err
        return result

    return call


@pytest.mark.parametrize(
    ("role", "arguments"),
    [
        ("reader", ["pause", "small_shop"]),
        ("reader", ["run", "small_shop"]),
        ("runner", ["status"]),
        ("planner", ["worker"]),
    ],
)
def test_a_login_without_the_right_is_told_which_roles_there_are(run_as, monday, role, arguments):
    result = run_as(role, *arguments)

    assert result.code == 1
    assert "permission denied" in result.err and "(SQLSTATE 42501)\nhint: " in result.err
    assert "headgate_planner plans and operates" in result.err


@pytest.mark.parametrize("arguments", [["run", "small_shop"], ["retry", "monday-1"]])
def test_who_may_not_work_starts_nothing(run_as, monday: Plan, arguments: list[str]):
    monday.call("cancel_execution", p_pipeline="small_shop", p_run_id="monday-1")

    result = run_as("planner", *arguments)

    assert result.code == 1 and "permission denied" in result.err
    open_runs = "select count(*) from headgate.v_recent_executions where status = 'running'"
    assert monday.scalar(open_runs) == 0


def test_the_doctor_says_what_a_reader_may_not_examine(run_as, monday: Plan):
    result = run_as("reader", "doctor")

    assert result.out.endswith(
        "warn plan: this role may not examine it\n"
        "     connect as headgate_planner or as a superuser\n"
    )
    assert "ok   migrations: " in result.out
