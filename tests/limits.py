"""Waiting in tests: for a condition, never for a fixed time.

All waits share one limit. It only ends tests that hang, and is generous enough for any slow machine.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

PATIENCE: Final = 900.0
"""Seconds."""
LONGEST_PAUSE: Final = 1.0


def wait_until(condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Wait until a condition is true; fail after `seconds`. Only measurements need another limit.

    Checks take at most a tenth of the time, to leave the rest to the process that is asked and to other tests; a slow
    machine asks at least once a second.
    """
    deadline, pause, began = time.monotonic() + seconds, 0.001, time.monotonic()
    while not condition():
        ended = time.monotonic()
        assert ended < deadline, f"still waiting for {what} after {seconds:.0f} s"
        time.sleep(max(pause, min(9 * (ended - began), LONGEST_PAUSE)))
        pause, began = min(2 * pause, 0.05), time.monotonic()


async def until(condition: Callable[[], object]) -> None:
    """Wait until a condition is true, while the event loop runs on."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)
