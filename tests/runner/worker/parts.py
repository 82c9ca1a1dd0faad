"""Chunks, leases and replies like those of a claim and a call, for tests of one part of a worker."""

from __future__ import annotations

from typing import Any

from headgate.worker.calls import Reply
from headgate.worker.chunks import Call, Chunk
from headgate.worker.leases import CallLease
from headgate.worker.rules import Outcome
from tests.limits import PATIENCE
from tests.runner.small_plan import OK

ANSWERED = Outcome("success", "item", "answered")
GONE = Outcome("failed", "item", "no such thing")
FAULT = Outcome("retry", "provider", "it is down")


def chunk_of(
    jobs: int = 3, *, chunk_id: int = 1, url: str | None = "http://127.0.0.1:9/api", **columns: Any
) -> Chunk:
    """Return a leased chunk of the provider `shop`; without a URL it makes no call."""
    call: dict[str, Any] = {"base_url": url, "rules": [OK], "timeout_seconds": PATIENCE}
    given: dict[str, Any] = {
        "chunk_id": chunk_id,
        "lease_no": 1,
        "lease_seconds": 60,
        "pipeline": "small_shop",
        "run_id": "r1",
        "step": "all",
        "provider": "shop",
        "operation": "look_shop",
        "call": call | columns.pop("call", {}) if url else {},
        "handler": None,
        "asset_ids": list(range(1, jobs + 1)),
        "urls": [f"{url}/things/T{n}" for n in range(jobs)] if url else None,
        "bodies": None,
        "attempt": 1,
    }
    return Chunk(**given | columns)


def lease_of(chunk: Chunk, kind: type[CallLease] = CallLease, *, at: float = 0.0) -> Any:
    """Return the lease of a chunk that was claimed at this time of the event loop."""
    return kind(chunk, at, Call.from_row(chunk.call), list(chunk.urls or []))


def reply(outcome: Outcome = ANSWERED, payload: bytes | None = b"{}") -> Reply:
    """Return the reply to one call."""
    return Reply(outcome, 1, payload if outcome.is_success else None, 5)
