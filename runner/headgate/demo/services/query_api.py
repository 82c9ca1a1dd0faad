"""Stand-in for FreshPoC's query API, which lists the nodes that have a repository."""

from __future__ import annotations

from typing import Any

from headgate.demo.services.stand_in import Ask, StandIn

DEFAULT = "{ nodes(func: has(repo)) { uid repo } }"


def query_api() -> StandIn:
    """Return the stand-in, which serves GET /query and GET /health."""

    def query(ask: Ask) -> dict[str, Any]:
        asked = ask.query.get("q", DEFAULT)
        return {"ok": True, "query": asked, "results": {"nodes": []}, "extensions": {}}

    return StandIn(
        "query",
        {("GET", "/query"): query, ("GET", "/health"): lambda _: {"status": "ok"}},
    )
