"""Fixtures: a system for each test, on a clone of the small template and one shared stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from headgate.demo.eodhd import Options, Process, spawn
from headgate.settings import Settings
from tests.acceptance.system import System, killed_at_the_end


@pytest.fixture(scope="session")
def _standin() -> Iterator[Process]:
    with spawn(Options(quota=None, rate=None, extended=True)) as standin:
        yield standin


@pytest.fixture
def standin(_standin: Process) -> Process:
    """Return the stand-in, reset to its initial state."""
    _standin.set_faults([])
    _standin.set_limits(quota=None, rate=None)
    _standin.reset()
    return _standin


@pytest.fixture
def system(small_database: Settings, standin: Process, tmp_path: Path) -> Iterator[System]:
    """Point the test's database at the stand-in, with enough units for everything."""
    with killed_at_the_end(System(small_database, standin, tmp_path)) as system:
        changes = {"base_url": standin.api, "quota": 100_000, "buffer": 0}
        system.set_provider(**changes, requests_per_minute=None)
        system.shorten_histories()
        yield system
