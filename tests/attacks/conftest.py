"""The houses that the attacks share with other tests, and the figures at the end."""

from __future__ import annotations

import pytest

from tests.acceptance.conftest import _standin, standin
from tests.attacks.form import FIGURES, IS_LONG, SEED
from tests.db.conftest import _warm, toy, toy_template, toys

__all__ = ["_standin", "_warm", "standin", "toy", "toy_template", "toys"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was measured, and how to do it again."""
    if FIGURES:
        terminalreporter.section("attacks")
        form = "long" if IS_LONG else "short"
        terminalreporter.line(f"{form} form; to repeat it: HEADGATE_ATTACK_SEED={SEED}")
        for line in FIGURES:
            terminalreporter.line(line)
