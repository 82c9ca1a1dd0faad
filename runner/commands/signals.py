"""When to end: the first Ctrl-C or SIGTERM asks for good order, the second ends at once."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

logger = logging.getLogger(__name__)

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop(asyncio.Event):
    """Set when it is time to end."""

    exit_code = 0
    """What a process says that ended for it: 128 and the signal's number, as shells expect."""


@contextmanager
def stop_on_signal() -> Iterator[Stop]:
    """Return an event that the first signal sets; to be entered inside of the running loop."""
    loop = asyncio.get_running_loop()
    stop = Stop()

    def on_signal(number: int) -> None:
        stop.exit_code = 128 + number
        logger.info("ending: calls under way are finished, the rest is given back")
        stop.set()
        restore()

    def restore() -> None:
        for number in SIGNALS:
            loop.remove_signal_handler(number)

    for number in SIGNALS:
        loop.add_signal_handler(number, on_signal, number)
    try:
        yield stop
    finally:
        restore()


def stop_on_end_of_input(stop: Stop) -> None:
    """Set the event when standard input is closed: whoever started us says so, or is gone."""
    loop = asyncio.get_running_loop()

    def on_input() -> None:
        if not os.read(source, 1):
            loop.remove_reader(source)
            stop.set()

    source = sys.stdin.fileno()
    loop.add_reader(source, on_input)
