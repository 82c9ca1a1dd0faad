"""An invented audience for the viral services: what it reacts to depends on how a text begins.

Everything is drawn from one seed, so the same calls in the same order get the same answers.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any, Final

HOOKS: Final[Mapping[str, tuple[str, str, float]]] = {
    "curiosity_gap": ("Nobody tells you this about", "surprise", 0.085),
    "transformation_story": ("A year ago I knew nothing of", "amazement", 0.07),
    "statistical": ("93 % of teams get this wrong:", "surprise", 0.045),
    "discovery": ("I just found out about", "excitement", 0.03),
    "urgency": ("Last chance to learn", "excitement", 0.02),
}
"""How a text begins, the emotion it stirs, and the mean share of readers that react."""
TOPICS: Final = ("queues", "pricing", "hiring", "vacuum", "indexes", "focus", "launches")
FIRST_POSTS, NEW_POSTS, VARIANTS, VIEWS = 50, 8, 5, 2_000
KNOWN_VARIANTS: Final = 12
"""Variants that the orchestrator knows from before, with 60 views each."""
COST_OF_A_VIEW, FOLLOWS_OF_A_REACTION = 0.0004, 0.8


def hook_of(text: str) -> str | None:
    """Return the hook that a text begins with."""
    return next((x for x, (words, _, _) in HOOKS.items() if text.startswith(words)), None)


@dataclass
class Variant:
    """A variant, its true rate, and what came of it."""

    variant_id: str
    persona: str
    hook: str
    rate: float
    successes: int = 0
    failures: int = 0

    def told(self) -> dict[str, Any]:
        """Return the variant as the orchestrator tells it."""
        views = self.successes + self.failures
        return {
            "id": self.variant_id,
            "persona_id": self.persona,
            "dimensions": {"hook": self.hook, "emotion": HOOKS[self.hook][1]},
            "successes": self.successes,
            "failures": self.failures,
            "performance": self.successes / views if views else 0.0,
        }


@dataclass
class Audience:
    """Posts of accounts, variants, and what readers made of them."""

    seed: int = 7
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    posts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    variants: dict[str, Variant] = field(default_factory=dict)
    served: dict[str, Any] = field(default_factory=dict)
    """Answers by idempotency key."""
    cost: float = 0.0
    follows: int = 0
    generated: int = 0
    lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        for nth in range(KNOWN_VARIANTS):
            variant = self._add_variant(f"seed-{nth}", ("ai_engineer", "indie_maker")[nth % 2], nth)
            self._show(variant, 60)

    def once(self, key: str | None, answer: Callable[[], Any]) -> Any:
        """Return what was answered under this key, or answer now."""
        with self.lock:
            if key is None or key not in self.served:
                said = answer()
                if key is None:
                    return said
                self.served[key] = said
            return self.served[key]

    def scrape(self, account: str, days: int) -> None:
        """Publish new posts of an account: at first over the last days, then since the last one."""
        posts, now = self.posts.setdefault(account, []), self.clock()
        count = NEW_POSTS if posts else FIRST_POSTS
        since = posts[-1]["at"] if posts else now - timedelta(days=days) + timedelta(minutes=1)
        for nth in range(1, count + 1):
            hook = self.random.choice([*HOOKS])
            words, _, rate = HOOKS[hook]
            engagement = min(1.0, rate * self.random.lognormvariate(0, 0.35))
            reactions = round(10_000 * engagement)
            at = since + (now - since) * nth / (count + 1)
            posts.append(
                {
                    "at": at,
                    "content": f"{words} {self.random.choice(TOPICS)}",
                    "account_id": account,
                    "post_url": f"https://posts.test/{account}/{len(posts)}",
                    "timestamp": at.isoformat(),
                    "likes": reactions * 7 // 10,
                    "comments": reactions * 2 // 10,
                    "shares": reactions // 10,
                    "engagement_rate": engagement,
                    "performance_percentile": 50.0,
                }
            )

    def generate(self, persona: str) -> list[dict[str, Any]]:
        """Make new variants of a persona."""
        made = []
        for nth in range(VARIANTS):
            self.generated += 1
            variant = self._add_variant(f"{persona}-{self.generated}", persona, nth)
            text = f"{HOOKS[variant.hook][0]} {self.random.choice(TOPICS)}"
            told = {x: y for x, y in variant.told().items() if x == "dimensions"}
            made.append(told | {"variant_id": variant.variant_id, "sample_content": text})
        return made

    def publish(self, weights: Mapping[str, float]) -> None:
        """Show the variants to readers, each by its share of the views."""
        total = sum(weights.values())
        for variant_id, weight in weights.items():
            reactions = self._show(self.variants[variant_id], round(VIEWS * weight / total))
            self.follows += round(reactions * FOLLOWS_OF_A_REACTION)
        self.cost += VIEWS * COST_OF_A_VIEW

    def _add_variant(self, variant_id: str, persona: str, nth: int) -> Variant:
        hook = [*HOOKS][nth % len(HOOKS)]
        rate = min(0.9, HOOKS[hook][2] * self.random.lognormvariate(0, 0.15))
        self.variants[variant_id] = Variant(variant_id, persona, hook, rate)
        return self.variants[variant_id]

    def _show(self, variant: Variant, views: int) -> int:
        reactions = sum(self.random.random() < variant.rate for _ in range(views))
        variant.successes += reactions
        variant.failures += views - reactions
        return reactions
