"""Waiting for the stand-in."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

PATIENCE: Final = 900.0
"""Seconds after which a wait counts as hanging; generous, so that slow machines do not matter."""


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Wait until a condition is true. Raises TimeoutError that names `what`."""
    deadline, pause = time.monotonic() + PATIENCE, 0.001
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"still waiting for {what} after {PATIENCE:.0f} s")
        time.sleep(pause)
        pause = min(2 * pause, 0.05)
