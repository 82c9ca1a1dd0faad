"""Stand-ins for the recommender's service (FastAPI) and the application's backend (Node.js)."""

from __future__ import annotations

from typing import Any, Final

from headgate.demo.services.stand_in import Ask, Refused, StandIn

OF_A_MODEL: Final = {"model_type", "training_samples", "training_timestamp", "model_version"}
OF_A_SYNC: Final = {"source", "table_summary", "sync_timestamp", "total_records"}


def fastapi(*, takes_syncs: bool = True) -> StandIn:
    """Return the recommender's service, which is notified of models and of synced source tables.

    With `takes_syncs` false it answers 422 to the latter, like versions that accept only models.
    """

    def complete(ask: Ask) -> dict[str, Any]:
        body = ask.json()
        if not (OF_A_MODEL <= body.keys() or (takes_syncs and OF_A_SYNC <= body.keys())):
            raise Refused(422, f"missing: {sorted(OF_A_MODEL - body.keys())}")
        told = body.get("model_version") or f"{body['total_records']} records"
        return {"status": "success", "message": f"heard of {told}"}

    return StandIn(
        "noblestride_fastapi",
        {
            ("GET", "/health"): lambda _: {"status": "ok"},
            ("POST", "/api/model/training-complete"): complete,
        },
    )


def nodejs() -> StandIn:
    """Return the application's backend, which only serves its health check."""
    return StandIn("noblestride_nodejs", {("GET", "/health"): lambda _: {"status": "ok"}})


def services() -> tuple[StandIn, ...]:
    """Return both stand-ins, not started."""
    return (fastapi(), nodejs())
