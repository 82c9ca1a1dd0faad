"""How tests wait: for what happens, never for a time to pass.

There is one limit for all of them. It ends what hangs, and decides nothing: a machine may be as slow as it likes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

PATIENCE: Final = 900.0
"""Seconds."""


def wait_until(condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Wait until something is true; fail when it never comes. Only a measurement needs another limit.

    Looking takes a fifth of the time at most: who is asked has other work.
    """
    deadline, pause, began = time.monotonic() + seconds, 0.001, time.monotonic()
    while not condition():
        ended = time.monotonic()
        assert ended < deadline, f"still waiting for {what} after {seconds:.0f} s"
        time.sleep(max(pause, 4 * (ended - began)))
        pause, began = min(2 * pause, 0.05), time.monotonic()


async def until(condition: Callable[[], object]) -> None:
    """Wait until something is true, and let others work meanwhile."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)
