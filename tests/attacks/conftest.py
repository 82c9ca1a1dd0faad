"""Fixtures that the attacks share with other tests, and the summary of their figures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import _standin, standin
from tests.attacks.form import FIGURES, IS_LONG, SEED
from tests.attacks.machines import Seed, seed
from tests.conftest import CORE
from tests.db.conftest import _warm, _warm_toy, toy, toy_template, toys
from tests.servers import scratch_folder

__all__ = ["_standin", "_warm", "_warm_toy", "standin", "toy", "toy_template", "toys"]


@pytest.fixture(scope="session")
def seeded(core_data: Path, seed_data: Path) -> Iterator[Seed]:
    """Return a stopped server's data with the toy world, and its db/."""
    with scratch_folder(in_memory=True) as folder:
        yield seed(core_data, seed_data / CORE / "db", folder)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Send the figures of a test worker to the main process."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["attacks"] = FIGURES


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Collect the figures of a test worker that has ended."""
    FIGURES.extend(getattr(node, "workeroutput", {}).get("attacks", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures, and how to repeat the attacks."""
    if FIGURES:
        terminalreporter.section("attacks")
        form = "long" if IS_LONG else "short"
        terminalreporter.line(f"{form} form; to repeat it: HEADGATE_ATTACK_SEED={SEED}")
        for line in FIGURES:
            terminalreporter.line(line)
