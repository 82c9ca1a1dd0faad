"""A database with Headgate's core and no pipeline in it: small, so that a clone takes no time."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runner.database import connect
from runner.migrate import migrate
from runner.settings import Settings
from tests.plan import Plan


@pytest.fixture(scope="session")
def core_template(
    server: Settings,
    clone: Callable[[Settings | None], Settings],
    tmp_path_factory: pytest.TempPathFactory,
) -> Settings:
    """Migrate the core without any plan."""
    folder: Path = tmp_path_factory.mktemp("core") / "db"
    shutil.copytree(server.db, folder, ignore=shutil.ignore_patterns("plans"))
    settings = replace(clone(None), db=folder)
    migrate(settings)
    return settings


@pytest.fixture
def core_database(
    clone_for_test: Callable[[Settings | None], Settings], core_template: Settings
) -> Settings:
    """Clone the core: for tests with runners, which commit."""
    return clone_for_test(core_template)


@pytest.fixture
def core_plan(core_database: Settings) -> Iterator[Plan]:
    """Open the clone of this test; every call commits."""
    with connect(core_database, "test") as connection:
        yield Plan(connection)
