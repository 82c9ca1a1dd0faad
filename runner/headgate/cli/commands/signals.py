"""Signals: the first Ctrl-C, SIGTERM or SIGHUP starts an orderly shutdown, a second ends at once.

A closing terminal sends SIGHUP twice, from the kernel and from the shell, so a second SIGHUP is
ignored. From the first on, output to the terminal is discarded. `nohup` suppresses SIGHUP.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

logger = logging.getLogger(__name__)

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop(asyncio.Event):
    """Event that is set when the process shall end."""

    exit_code = 0
    """Exit code after a signal: 128 plus the signal's number, as shells expect."""


@contextmanager
def stop_on_signal(then: str = "calls under way finish, the rest is given back") -> Iterator[Stop]:
    """Yield an event that the first signal sets; enter it inside the running event loop.

    `then` says what happens after the signal.
    """
    loop = asyncio.get_running_loop()
    stop = Stop()
    terminals = [x for x in (1, 2) if os.isatty(x)]
    hangs_up = signal.getsignal(signal.SIGHUP) != signal.SIG_IGN

    def on_signal(number: int) -> None:
        if number == signal.SIGHUP and stop.is_set():
            return
        if number == signal.SIGHUP:
            _silence(terminals)
        stop.exit_code = 128 + number
        logger.info("stopping: %s", then)
        stop.set()
        restore()

    def restore() -> None:
        for number in SIGNALS:
            loop.remove_signal_handler(number)

    for number in (*SIGNALS, *([signal.SIGHUP] if hangs_up else [])):
        loop.add_signal_handler(number, on_signal, number)
    try:
        yield stop
    finally:
        restore()
        if hangs_up:
            loop.remove_signal_handler(signal.SIGHUP)


def _silence(descriptors: Iterable[int]) -> None:
    """Redirect these descriptors to /dev/null: writing to a closed terminal would raise."""
    with open(os.devnull, "wb") as nowhere:
        for descriptor in descriptors:
            os.dup2(nowhere.fileno(), descriptor)


def stop_on_end_of_input(stop: Stop) -> None:
    """Set the event when standard input is closed: the parent process asks for it, or has died."""
    loop = asyncio.get_running_loop()

    def on_input() -> None:
        if not os.read(source, 1):
            loop.remove_reader(source)
            stop.set()

    source = sys.stdin.fileno()
    loop.add_reader(source, on_input)
