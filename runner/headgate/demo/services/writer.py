"""Stand-in for FreshPoC's writer, which adds two nodes to the graph at every call."""

from __future__ import annotations

from itertools import count
from typing import Any

from headgate.demo.services.stand_in import Ask, StandIn


def writer() -> StandIn:
    """Return the stand-in, which serves GET /apply; the call must not be repeated."""
    numbers = count(1)

    def apply(_: Ask) -> dict[str, Any]:
        uids = {name: f"0x{next(numbers):x}" for name in ("repo", "term")}
        return {
            "ok": True,
            "status": "apply_complete",
            "uids": uids,
            "nodes_created": len(uids),
            "schema_applied": True,
        }

    return StandIn(
        "writer",
        {("GET", "/apply"): apply, ("GET", "/health"): lambda _: {"status": "ok"}},
        work_seconds=0.1,
    )
