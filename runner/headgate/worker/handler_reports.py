"""What a handler is given as a task, and what a chunk's jobs come to, also where it cannot run."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import psycopg

from headgate.database import from_psycopg
from headgate.errors import HeadgateError
from headgate.handlers import Done, Input, Job, Spooled, Task
from headgate.worker.chunks import Handling
from headgate.worker.leases import HandlerLease
from headgate.worker.payloads import Unstorable
from headgate.worker.reports import Report, Rows

OF_THE_DATA: Final = ("22", "23", "P0", "HG")
"""SQLSTATE classes of input function errors that a single asset's data may cause."""


def failed_by(function: str, exc: psycopg.Error | HeadgateError, asset_ids: list[int]) -> list[Job]:
    """Return the jobs of assets whose input cannot be read: failed for bad data, else deferred."""
    if isinstance(exc, psycopg.Error):
        told, state = str(from_psycopg(exc)), exc.sqlstate or ""
    else:
        told, state = str(exc), exc.code or ""
    outcome = "failed" if state.startswith(OF_THE_DATA) else "deferred"
    return [Job(x, outcome, f"{function}: {told}") for x in asset_ids]


def ended(exc: BaseException, function: str | None, asset_ids: list[int]) -> list[Job]:
    """Return the jobs of assets whose stream or stage failed."""
    if isinstance(exc, Unstorable):
        return [Job(x, "failed", str(exc)) for x in asset_ids]
    if isinstance(exc, psycopg.Error | HeadgateError):
        return failed_by(function or "its stage", exc, asset_ids)
    raise exc


def refused(held: HandlerLease) -> dict[int, Job]:
    """Return the failed jobs of assets whose file cannot be named."""
    reasons = held.handling.refused
    return {
        asset_id: Job(asset_id, "failed", reasons[code])
        for asset_id, code in zip(held.chunk.asset_ids, held.handling.codes, strict=True)
        if code in reasons
    }


def task_of(
    held: HandlerLease,
    given: Input,
    files: list[Spooled],
    asset_ids: list[int],
    folder: Path | None,
) -> Task:
    """Return the task of a chunk's handler for these assets."""
    chunk, handling = held.chunk, held.handling
    places = {asset_id: nth for nth, asset_id in enumerate(chunk.asset_ids)}
    return Task(
        handler=chunk.handler or "",
        operation=chunk.operation,
        context=handling.context,
        asset_ids=asset_ids,
        codes=[handling.codes[places[x]] for x in asset_ids],
        watermarks=[handling.watermarks[places[x]] for x in asset_ids],
        input=given,
        row_type=handling.row_type,
        timeout_seconds=handling.timeout_seconds,
        max_memory=handling.max_memory,
        environment=handling.environment,
        options=handling.options,
        names=[handling.names[places[x]] for x in asset_ids] if handling.names else [],
        folder=None if folder is None else str(folder),
        files=files,
    )


def report_of(done: Done, handling: Handling | None) -> Report:
    """Return the report of a handler's jobs; the time it took is shared among them."""
    report = Report()
    share = int(1000 * done.seconds / len(done.jobs)) if done.jobs else 0
    is_staged = handling is not None and handling.stage is not None
    for nth, job in enumerate(done.jobs):
        report.add(
            job.asset_id,
            "retry" if job.outcome == "unknown" else job.outcome,
            fault=job.fault,
            error=job.error,
            requests=int(job.outcome == "unknown"),
            charged=int(job.outcome == "unknown"),
            payload=b'{"rows": %d}' % done.row_counts[nth]
            if is_staged and job.outcome == "success"
            else None,
            duration_ms=share,
            answer=job.output,
        )
    if done.peak_memory and done.jobs:
        report.peak_memory = done.peak_memory
        report.cpu_ms = round(1000 * done.cpu_seconds / len(done.jobs))
    if done.rows and handling is not None and handling.row_type is not None:
        report.rows = Rows(done.rows, handling.row_type, done.row_counts)
    return report
