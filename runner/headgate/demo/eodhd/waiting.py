"""How long the stand-in is waited for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

PATIENCE: Final = 900.0
"""Seconds. It ends what hangs, and decides nothing: a machine may be as slow as it likes."""


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Wait until something is true; raise TimeoutError when it never comes."""
    deadline, pause = time.monotonic() + PATIENCE, 0.001
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"still waiting for {what} after {PATIENCE:.0f} s")
        time.sleep(pause)
        pause = min(2 * pause, 0.05)
