"""Hands a report in, whatever it takes.

A server in trouble is waited for. A report that cannot be written is taken apart, so that one
answer that the database does not take harms its own job alone.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import psycopg

from headgate import shown
from headgate.database import from_psycopg
from headgate.errors import LostLease, ServerUnreachable
from headgate.worker.chunks import Claim, Report, Result
from headgate.worker.connection_pool import MAX_RETRIES, ConnectionPool
from headgate.worker.queue import Queue

logger = logging.getLogger(__name__)

OF_THE_DATA: Final = ("21", "22", "23", "44", "54", "P0", "HG")
"""SQLSTATE classes that say something of an answer, not of us."""

Send: TypeAlias = Callable[[Queue, Result, bool], Awaitable[Claim]]
"""Complete a report; the last argument tells whether it is the last part of it."""


class Unwritable(Exception):
    """The database does not take the report, nor any part of it that could be tried."""


async def hand_in(
    connections: ConnectionPool,
    report: Result,
    send: Send,
    *,
    is_last: bool = True,
    max_retries: int = MAX_RETRIES,
) -> Claim:
    """Complete a report, in parts if need be; the last part may bring new chunks.

    What may pass is waited for once, with the whole report; its parts show at once who is guilty.

    Raises LostLease when the chunk is somebody else's, ServerUnreachable when the runner ends and
    the server has not come back, Unwritable when the report cannot be taken apart any further.
    """
    try:
        return await connections.run(
            lambda queue: send(queue, report, is_last), is_patient=True, max_retries=max_retries
        )
    except (LostLease, ServerUnreachable):
        raise
    except Exception as exc:
        reason = reason_of(exc)
        if not isinstance(report, Report) or report.rows is not None or report.files:
            raise Unwritable(reason) from exc
        logger.warning("a report of %s jobs could not be written: %s", len(report), reason)
        if len(report) > 1:
            first, rest = report.halves()
            await hand_in(connections, first, send, is_last=False, max_retries=0)
            return await hand_in(connections, rest, send, is_last=is_last, max_retries=0)
        if report.payloads == [None]:
            raise Unwritable(reason) from exc
        spared = _without_payload(report, reason, is_of_the_data=is_of_the_data(exc))
        return await hand_in(connections, spared, send, is_last=is_last, max_retries=0)


def reason_of(exc: Exception) -> str:
    """Return what went wrong in one line that can be stored."""
    if isinstance(exc, psycopg.Error):
        return shown.redacted(str(from_psycopg(exc)))
    return shown.redacted((str(exc) or type(exc).__name__).partition("\n")[0])


def is_of_the_data(exc: Exception) -> bool:
    """Return whether an answer is at fault, and not this program or the server."""
    if isinstance(exc, psycopg.Error):
        return (exc.sqlstate or "").startswith(OF_THE_DATA)
    return isinstance(exc, UnicodeError | OverflowError)


def _without_payload(report: Report, reason: str, *, is_of_the_data: bool) -> Report:
    """Return what becomes of a job whose answer cannot be written."""
    spared = Report()
    spared.add(
        report.asset_ids[0],
        "failed" if is_of_the_data else "deferred",
        fault="item" if is_of_the_data else "internal",
        error=f"the answer cannot be stored: {reason}",
        requests=report.requests[0],
        charged=report.charged[0],
        duration_ms=report.durations_ms[0],
    )
    return spared
