"""Stand-in for FreshPoC's ingestion, which imports a repository."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from itertools import count
from typing import Any

from headgate.demo.services.stand_in import Ask, StandIn


def ingestion() -> StandIn:
    """Return the stand-in, which serves GET /trigger?repo=."""
    numbers = count(1)

    def trigger(ask: Ask) -> dict[str, Any]:
        number = next(numbers)
        return {
            "status": "success",
            "trigger_id": f"trigger_{number}_{int(time.time())}",
            "message": "Ingestion triggered",
            "timestamp": datetime.now(UTC).isoformat(),
            "data_received": {"repo": ask.query.get("repo")},
            "total_triggers": number,
        }

    return StandIn(
        "ingestion",
        {("GET", "/trigger"): trigger, ("GET", "/health"): lambda _: {"status": "ok"}},
        work_seconds=0.1,
    )
