"""Stand-in for Hacker News: invented stories with gaps, and a list of top stories that shifts."""

from __future__ import annotations

import re
from itertools import count
from typing import Any, Final

from headgate.demo.services.stand_in import Ask, StandIn

STORIES: Final = 500
FIRST: Final = 4_000_000
MOVES: Final = 3
"""Places by which the list of top stories shifts on every request."""
NULL, DELETED, JOB = 17, 23, 29
"""Every 17th item is missing, every 23rd deleted, every 29th a job posting instead of a story."""
PUBLISHED: Final = 1_700_000_000
ITEM: Final = re.compile(r"/v0/item/(\d+)\.json")
SUBJECTS: Final = ("A queue", "A planner", "An index", "A vacuum", "A lease", "A ledger")
CLAIMS: Final = ("that never lies", "in 200 lines", "explained", "considered harmful", "at night")


def hackernews() -> StandIn:
    """Return the stand-in, which serves GET /v0/topstories.json and /v0/item/ID.json."""
    asked = count()

    def top(_: Ask) -> list[int]:
        first = FIRST + MOVES * next(asked)
        return [*range(first + STORIES - 1, first - 1, -1)]

    return StandIn("hackernews", {("GET", "/v0/topstories.json"): top}, rest=_item)


def _item(ask: Ask) -> dict[str, Any] | None:
    found = ITEM.fullmatch(ask.path)
    return item(int(found.group(1))) if found else None


def item(number: int) -> dict[str, Any] | None:
    """Return one item; None, which the service answers as null, if it is missing."""
    if number < FIRST or number % NULL == 0:
        return None
    kept = {"id": number, "type": "story", "time": PUBLISHED + 60 * (number - FIRST)}
    if number % DELETED == 0:
        return kept | {"deleted": True}
    if number % JOB == 0:
        return kept | {"type": "job", "title": "Somebody is hiring"}
    return kept | {
        "by": f"reader{number % 97}",
        "title": f"{SUBJECTS[number % len(SUBJECTS)]} {CLAIMS[number % len(CLAIMS)]}",
        "url": f"https://stories.test/{number}",
        "score": 1 + number * 7919 % 500,
        "descendants": number * 104_729 % 200,
    }
