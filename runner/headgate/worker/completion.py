"""Hands in a report despite failures of the server or of single answers.

A report waits for a server in trouble. A report that cannot be written is split, so that an answer
that the database rejects affects only its own job.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import psycopg

from headgate import shown
from headgate.database import from_psycopg
from headgate.errors import LostLease, ServerUnreachable
from headgate.worker.chunks import Claim
from headgate.worker.connection_pool import MAX_RETRIES, ConnectionPool
from headgate.worker.queue import Queue
from headgate.worker.reports import Report, Result

logger = logging.getLogger(__name__)

OF_THE_DATA: Final = ("21", "22", "23", "44", "54", "P0", "HG")
"""SQLSTATE classes of errors that an answer causes, not the runner or the server."""

Send: TypeAlias = Callable[[Queue, Result, bool], Awaitable[Claim]]
"""Completes a report or a part of it; the last argument is true for the last part."""


class Unwritable(Exception):
    """The database rejects the report, which cannot be split any further."""


async def hand_in(
    connections: ConnectionPool,
    report: Result,
    send: Send,
    *,
    is_last: bool = True,
    max_retries: int = MAX_RETRIES,
) -> Claim:
    """Complete a report, in parts if necessary; the last part may claim new chunks.

    Errors that may be temporary are retried only with the whole report: each of its parts is tried
    once, to find the answer at fault.

    Raises LostLease if the lease is lost, ServerUnreachable if the runner ends before the server is
    back, and Unwritable if the report cannot be split any further.
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
    """Return an exception's message as one line that can be stored, without secrets."""
    if isinstance(exc, psycopg.Error):
        return shown.redacted(str(from_psycopg(exc)))
    return shown.redacted((str(exc) or type(exc).__name__).partition("\n")[0])


def is_of_the_data(exc: Exception) -> bool:
    """Return whether an answer caused the error, and not this program or the server."""
    if isinstance(exc, psycopg.Error):
        return (exc.sqlstate or "").startswith(OF_THE_DATA)
    return isinstance(exc, UnicodeError | OverflowError)


def _without_payload(report: Report, reason: str, *, is_of_the_data: bool) -> Report:
    """Return the report of a job whose answer cannot be written."""
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
