"""Stand-in for FreshPoC's reporting, which writes the report and a new object at every call."""

from __future__ import annotations

from typing import Any

from headgate.demo.services.stand_in import Ask, StandIn


def reporting() -> StandIn:
    """Return the stand-in, which serves GET /generate."""

    def generate(_: Ask) -> dict[str, Any]:
        return {
            "ok": True,
            "status": "report_generated",
            "file": "reports/latest.md",
            "minio_bucket": "fresh-reports",
            "nodes": 2,
            "dgraph_backend": "http://dgraph:8080",
        }

    return StandIn(
        "reporting",
        {("GET", "/generate"): generate, ("GET", "/health"): lambda _: {"status": "ok"}},
        work_seconds=0.1,
    )
