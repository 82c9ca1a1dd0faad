"""Heartbeats of a runner: without them, the leases of a killed runner are ended early."""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
import logging
import os
import socket
from collections.abc import Mapping
from typing import Any, Final

import psycopg

from headgate import __version__
from headgate.errors import HeadgateError
from headgate.worker.completion import reason_of
from headgate.worker.connection_pool import ConnectionPool
from headgate.worker.figures import Figures
from headgate.worker.health import Health
from headgate.worker.queue import Heard, Queue
from headgate.worker.wire import Traffic

logger = logging.getLogger(__name__)

BEAT_SECONDS: Final = 5.0
FIGURES_EVERY: Final = 3
"""Every third heartbeat carries the runner's figures."""


async def beat(
    connections: ConnectionPool,
    traffic: Traffic | None = None,
    health: Health | None = None,
    counts_due: asyncio.Event | None = None,
) -> None:
    """Run for ever: send this runner's heartbeat every few seconds; say when counts are due."""
    health = health or Health(None)
    identity = {"host": socket.gethostname(), "pid": os.getpid(), "version": __version__}
    figures = Figures(traffic or Traffic())
    is_heard = True
    for nth in itertools.count():
        taken = figures.taken() if nth % FIGURES_EVERY == 0 else None
        said = {**identity, "figures": None if taken is None else json.dumps(taken)}
        try:
            heard = await connections.run(functools.partial(_beat, said))
            is_heard = True
            if heard.ended_leases:
                logger.warning("%s leases of runners that are gone were ended", heard.ended_leases)
            if heard.counts_due and counts_due is not None:
                counts_due.set()
        except (psycopg.Error, HeadgateError) as exc:
            level = logging.WARNING if is_heard else logging.DEBUG
            logger.log(level, "no heartbeat: %s", reason_of(exc))
            is_heard = False
        health.heard(is_heard)
        await asyncio.sleep(BEAT_SECONDS)


async def _beat(said: Mapping[str, Any], queue: Queue) -> Heard:
    return await queue.heartbeat(said)


async def end(connections: ConnectionPool) -> None:
    """Report that this runner ends normally; without it, missing heartbeats show the end."""
    try:
        await connections.run(lambda queue: queue.end_runner())
    except (psycopg.Error, HeadgateError) as exc:
        logger.debug("the end of this runner was not noted: %s", reason_of(exc))
