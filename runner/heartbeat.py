"""A runner makes itself known, so that nobody waits for the leases of one that was killed."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from typing import Final

import psycopg

from runner import __version__
from runner.completion import reason_of
from runner.errors import HeadgateError
from runner.lanes import Lanes

logger = logging.getLogger(__name__)

BEAT_SECONDS: Final = 5.0


async def beat(lanes: Lanes) -> None:
    """For ever: say every few seconds that this runner is there."""
    identity = {"host": socket.gethostname(), "pid": os.getpid(), "version": __version__}
    is_heard = True
    while True:
        try:
            ended = await lanes.run(lambda queue: queue.heartbeat(identity))
            is_heard = True
            if ended:
                logger.warning("%s leases of runners that are gone were ended", ended)
        except (psycopg.Error, HeadgateError) as exc:
            level = logging.WARNING if is_heard else logging.DEBUG
            logger.log(level, "no heartbeat: %s", reason_of(exc))
            is_heard = False
        await asyncio.sleep(BEAT_SECONDS)


async def end(lanes: Lanes) -> None:
    """Say that this runner ends in good order; one that cannot say so is found to be gone."""
    try:
        await lanes.run(lambda queue: queue.end_runner())
    except (psycopg.Error, HeadgateError) as exc:
        logger.debug("the end of this runner was not noted: %s", reason_of(exc))
