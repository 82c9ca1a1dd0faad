"""Stand-in for FreshPoC's miner, which mines the imported repository."""

from __future__ import annotations

from headgate.demo.services.stand_in import StandIn


def miner() -> StandIn:
    """Return the stand-in, which serves GET /run."""
    return StandIn(
        "miner",
        {
            ("GET", "/run"): lambda _: {"ok": True, "status": "mining_complete"},
            ("GET", "/health"): lambda _: {"status": "ok"},
        },
        work_seconds=0.1,
    )
