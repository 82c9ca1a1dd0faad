"""Runs a parser over one answer: the JSON it returns becomes the job's payload."""

from __future__ import annotations

import time

from headgate.errors import WrongPlan
from headgate.handlers.named import PARSER, as_json, find, told
from headgate.handlers.pool_messages import Done, Job, Parsing


def parse(task: Parsing) -> Done:
    """Run the task's parser; all exceptions but MemoryError become the job's outcome."""
    started = time.perf_counter()
    outcome, error, payload = "success", None, b""
    try:
        payload = _payload(find(PARSER, task.handler, task.place)(task.document))
    except MemoryError:
        raise
    except WrongPlan as exc:
        outcome, error = "deferred", str(exc)
    except Exception as exc:
        outcome, error = "failed", f"the parser {task.handler}: {told(exc)}"
    job = Job(task.asset_ids[0], outcome, error)
    return Done([job], payload, seconds=time.perf_counter() - started)


def _payload(value: object) -> bytes:
    try:
        return as_json(value).encode()
    except ValueError as exc:
        raise ValueError(f"its result {exc}") from None
