"""freshpoc's miner: reads what was taken in."""

from __future__ import annotations

from headgate.demo.services.stand_in import StandIn


def miner() -> StandIn:
    """Return the service of GET /run."""
    return StandIn(
        "miner",
        {
            ("GET", "/run"): lambda _: {"ok": True, "status": "mining_complete"},
            ("GET", "/health"): lambda _: {"status": "ok"},
        },
        work_seconds=0.1,
    )
