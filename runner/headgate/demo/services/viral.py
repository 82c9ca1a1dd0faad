"""Stand-ins for the five services of the viral learning flywheel, before one invented audience."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from headgate.demo.services.audience import HOOKS, Audience, hook_of
from headgate.demo.services.stand_in import Ask, Refused, Reply, StandIn, Text

ACCOUNTS: Final = ("tech_leader", "startup_founder")
PACE: Final = 60.0
"""Seconds between two scrapes of an account that the scraper insists on."""
HIDDEN: Final = {"at"}


def orchestrator(audience: Audience) -> StandIn:
    """Return the orchestrator, which publishes variants and counts what comes of them."""

    def optimize(ask: Ask) -> dict[str, Any]:
        given = ask.json()["variant_weights"]
        weights = {x: y for x, y in given.items() if x in audience.variants}
        if not weights:
            raise Refused(422, f"it knows none of these variants: {sorted(given)}")

        def publish() -> dict[str, Any]:
            audience.publish(weights)
            return {"status": "optimized", "variants": len(weights)}

        return dict(audience.once(ask.headers.get("Idempotency-Key"), publish))

    def metrics(_: Ask) -> Text:
        personas = {x.persona for x in audience.variants.values()}
        posts = [
            f'posts_generated_total{{persona_id="{persona}",status="ok"}} '
            f"{sum(x.persona == persona for x in audience.variants.values())}"
            for persona in sorted(personas)
        ]
        return _metrics(
            *posts,
            f"cost_per_follow_dollars_sum {audience.cost:.6f}",
            f"cost_per_follow_dollars_count {audience.follows}",
            f'revenue_projection_monthly{{source="follows"}} {audience.follows * 1.15:.2f}',
        )

    return StandIn(
        "orchestrator",
        {
            ("GET", "/health"): lambda _: {"status": "ok"},
            ("GET", "/metrics"): metrics,
            ("GET", "/thompson-sampling/variants"): lambda _: {
                "variants": [x.told() for x in audience.variants.values()]
            },
            ("POST", "/thompson-sampling/variants/optimize"): optimize,
        },
    )


def scraper(audience: Audience, pace: float = PACE) -> StandIn:
    """Return the scraper, which takes one request per account in `pace` seconds."""
    asked: dict[str, float] = {}

    def scrape(ask: Ask) -> Any:
        account, now = ask.path.rpartition("/")[2], time.monotonic()
        left = pace - (now - asked[account]) if account in asked else 0.0
        if left > 0:
            limit = {"X-RateLimit-Limit": "1", "X-RateLimit-Remaining": "0"}
            return Reply(b"{}", 429, limit | {"Retry-After": str(int(left))})
        asked[account] = now
        audience.scrape(account, int((ask.json() or {}).get("days_back", 7)))
        return {"task_id": str(uuid4()), "account_id": account, "status": "queued"}

    def posts(ask: Ask) -> dict[str, Any]:
        since = ask.query.get("since")
        found = audience.posts.get(ask.query.get("account_id", ""), [])
        if since:
            found = [x for x in found if x["at"] >= datetime.fromisoformat(since)]
        size, page = int(ask.query.get("limit", "20")), int(ask.query.get("page", "1"))
        shown = found[(page - 1) * size : page * size]
        return {
            "posts": [{y: z for y, z in x.items() if y not in HIDDEN} for x in shown],
            "total_count": len(found),
            "page": page,
        }

    return StandIn(
        "viral_scraper",
        {
            ("GET", "/health"): lambda _: {"status": "healthy", "service": "viral-scraper"},
            ("GET", "/metrics"): lambda _: _metrics(
                f"posts_scraped_total {sum(map(len, audience.posts.values()))}"
            ),
            ("GET", "/viral-posts"): posts,
            **{("POST", f"/scrape/account/{x}"): scrape for x in ACCOUNTS},
        },
    )


def engine(audience: Audience) -> StandIn:
    """Return the engine, which writes variants."""

    def generate(ask: Ask) -> dict[str, Any]:
        body = ask.json()
        key = ask.headers.get("Idempotency-Key")
        made = audience.once(key, lambda: audience.generate(body["persona_id"]))
        return {"variants": made, "generation_time": 0.01}

    return StandIn(
        "viral_engine",
        {
            ("GET", "/health"): lambda _: {"status": "healthy", "service": "viral-engine"},
            ("GET", "/metrics"): lambda _: _metrics(
                f"variants_generated_total {audience.generated}"
            ),
            ("POST", "/generate-variants"): generate,
            ("POST", "/cache/refresh"): lambda _: {"status": "refreshed"},
        },
    )


def pattern_engine() -> StandIn:
    """Return the pattern engine, which finds the hook, the emotion and the length of a text."""

    def extract(ask: Ask) -> dict[str, Any]:
        text = ask.json()["content"]
        hook = hook_of(text)
        return {
            "hook_patterns": [hook] if hook else [],
            "emotion_patterns": [HOOKS[hook][1]] if hook else [],
            "structure": "short" if len(text) < 35 else "medium",
            "pattern_strength": 0.8 if hook else 0.1,
        }

    return StandIn(
        "viral_pattern_engine",
        {
            ("GET", "/health"): lambda _: {"status": "healthy", "service": "viral_pattern_engine"},
            ("GET", "/metrics"): lambda _: _metrics("patterns_known 5"),
            ("POST", "/extract-patterns"): extract,
            ("POST", "/cache/refresh"): lambda _: {"status": "refreshed"},
        },
    )


def persona_runtime() -> StandIn:
    """Return the personas' service, of which only health and metrics are asked."""
    return StandIn(
        "persona_runtime",
        {
            ("GET", "/health"): lambda _: {"status": "ok"},
            ("GET", "/metrics"): lambda _: _metrics('http_requests_total{service="persona"} 12'),
        },
    )


def services(audience: Audience | None = None, pace: float = PACE) -> tuple[StandIn, ...]:
    """Return all five stand-ins, not started."""
    audience = audience or Audience()
    return (
        orchestrator(audience),
        scraper(audience, pace),
        engine(audience),
        pattern_engine(),
        persona_runtime(),
    )


def _metrics(*lines: str) -> Text:
    """Return samples in Prometheus's text format, each with its help."""
    names = dict.fromkeys(line.partition(" ")[0].partition("{")[0] for line in lines)
    helps = [f"# HELP {name} Made up.\n# TYPE {name} gauge" for name in names]
    return Text("\n".join([*helps, *lines, ""]))
