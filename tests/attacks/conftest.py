"""Fixtures that the attacks share with other tests, and the summary of their figures."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.conftest import _standin, standin
from tests.attacks.form import FIGURES, IS_LONG, SEED
from tests.db.conftest import _warm, _warm_toy, toy, toy_template, toys

__all__ = ["_standin", "_warm", "_warm_toy", "standin", "toy", "toy_template", "toys"]


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
