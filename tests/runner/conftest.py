"""A database with Headgate's core and no pipeline in it: small, so that a clone takes no time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from runner.database import connect
from runner.settings import Settings
from tests.plan import Plan


@pytest.fixture
def core_database(
    clone_for_test: Callable[[Settings | None], Settings], core_template: Settings
) -> Settings:
    """Clone the core: for tests with runners, which commit."""
    return clone_for_test(core_template)


@pytest.fixture
def core(core_database: Settings, core_template: Settings) -> Settings:
    """Return that clone with the folder whose state it is in, as commands ask for."""
    return replace(core_database, db=core_template.db)


@pytest.fixture
def core_plan(core_database: Settings) -> Iterator[Plan]:
    """Open the clone of this test; every call commits."""
    with connect(core_database, "test") as connection:
        yield Plan(connection)
