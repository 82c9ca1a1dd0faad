"""Waiting in tests: for a condition, never for a fixed time.

All waits share one limit. It only ends tests that hang, and is generous enough for any slow machine.
"""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

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


def wait_while_at_work(
    condition: Callable[[], object],
    what: str,
    processes: Sequence[subprocess.Popen[Any]],
    last_words: Callable[[], str],
) -> None:
    """Wait until a condition is true; fail, with the last words, once no process runs that could make it true."""

    def is_so() -> bool:
        are_at_work = any(process.poll() is None for process in processes)
        return bool(condition()) or not are_at_work

    wait_until(is_so, what)
    assert condition(), f"no {what}; {last_words()}"


async def until(condition: Callable[[], object]) -> None:
    """Wait until a condition is true, while the event loop runs on."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)
