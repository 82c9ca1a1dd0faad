"""Stand-in for FreshPoC's analyzer, which analyzes the mined data."""

from __future__ import annotations

from headgate.demo.services.stand_in import StandIn


def analyzer() -> StandIn:
    """Return the stand-in, which serves GET /run."""
    return StandIn(
        "analyzer",
        {
            ("GET", "/run"): lambda _: {"ok": True, "status": "analysis_complete"},
            ("GET", "/health"): lambda _: {"status": "ok"},
        },
        work_seconds=0.1,
    )
