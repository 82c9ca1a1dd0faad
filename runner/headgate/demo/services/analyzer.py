"""freshpoc's analyzer: says what was mined."""

from __future__ import annotations

from headgate.demo.services.stand_in import StandIn


def analyzer() -> StandIn:
    """Return the service of GET /run."""
    return StandIn(
        "analyzer",
        {
            ("GET", "/run"): lambda _: {"ok": True, "status": "analysis_complete"},
            ("GET", "/health"): lambda _: {"status": "ok"},
        },
        work_seconds=0.1,
    )
