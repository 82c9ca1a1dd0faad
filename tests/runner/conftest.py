"""Fixtures: a database with the core and no pipelines, for quick cloning, and the command line in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest

from headgate.cli import command_line
from headgate.database import connect, dsn_of
from headgate.settings import Settings
from tests.plan import Plan

Run = Callable[..., SimpleNamespace]


@pytest.fixture
def core_database(
    clone_for_test: Callable[[Settings | None], Settings], core_template: Settings
) -> Settings:
    """Clone the core, for tests with runners, which commit."""
    return clone_for_test(core_template)


@pytest.fixture
def core(core_database: Settings, core_template: Settings) -> Settings:
    """Return the clone's settings with the db/ folder that it was migrated from, for commands."""
    return replace(core_database, db=core_template.db)


@pytest.fixture
def core_plan(core_database: Settings) -> Iterator[Plan]:
    """Connect to the test's own clone; every call commits."""
    with connect(core_database, "test") as connection:
        yield Plan(connection)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process; returns code, out and err."""

    def call(*arguments: str, settings: Settings | None = None, **environ: str) -> SimpleNamespace:
        with monkeypatch.context() as patch:
            if settings is not None:
                patch.setenv("HEADGATE_DSN", dsn_of(settings))
                patch.setenv("HEADGATE_DB", str(settings.db))
            for name, value in environ.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["headgate", *arguments])
            patch.setattr(command_line, "configure_logging", lambda **_: None)
            with pytest.raises(SystemExit) as end:
                command_line.main()
        captured = capsys.readouterr()
        return SimpleNamespace(code=end.value.code or 0, out=captured.out, err=captured.err)

    return call
