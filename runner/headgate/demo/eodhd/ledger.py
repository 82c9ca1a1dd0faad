"""The stand-in's own ledger: units charged by token, rejected requests, and the request rate.

It shares no code with Headgate's ledger, so that the two can be compared.
"""

from __future__ import annotations

import json
import time
from collections import Counter, deque
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

WINDOW_SECONDS = 60.0


class Rate:
    """Rate limit on requests admitted in the last 60 seconds; rejected ones do not count."""

    def __init__(self, per_minute: int | None, now: Callable[[], float] = time.monotonic) -> None:
        self.per_minute = per_minute
        self._now = now
        self._passed: deque[float] = deque()

    def take(self) -> float:
        """Admit one request and return 0, or return the seconds until one will be admitted."""
        now = self._now()
        while self._passed and self._passed[0] <= now - WINDOW_SECONDS:
            self._passed.popleft()
        if self.per_minute is not None and len(self._passed) >= self.per_minute:
            return self._passed[0] + WINDOW_SECONDS - now if self._passed else WINDOW_SECONDS
        self._passed.append(now)
        return 0.0

    def clear(self) -> None:
        """Forget the last minute."""
        self._passed.clear()

    @property
    def remaining(self) -> int:
        """Return how many requests would be admitted now."""
        return 10**6 if self.per_minute is None else max(0, self.per_minute - len(self._passed))


class Ledger:
    """Units and requests by UTC day, endpoint, code and token; a token has `quota` units a day."""

    def __init__(self, quota: int | None, path: Path | None = None) -> None:
        self.quota = quota
        self._path = path
        self._dirty = False
        self.clear()
        if path is not None and path.exists():
            self._load(json.loads(path.read_text()))

    def clear(self) -> None:
        """Reset to the state of a new account."""
        self.requests = 0
        self.units: Counter[tuple[str, str]] = Counter()  # (token, day)
        self.shown: dict[str, str] = {}  # token -> day its counter belongs to
        self.endpoints: dict[str, list[int]] = {}
        self.codes: dict[str, list[int]] = {}
        self.statuses: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self._dirty = True

    def receive(self) -> None:
        """Count a request, whatever its result."""
        self.requests += 1
        self._dirty = True

    def charge(self, token: str, day: date, endpoint: str, code: str, units: int) -> bool:
        """Charge an answer to the token's day; return False if that would exceed the quota."""
        key = (token, day.isoformat())
        if self.quota is not None and self.units[key] + units > self.quota:
            return False
        self.units[key] += units
        self.shown[token] = key[1]
        for counts in (
            self.endpoints.setdefault(endpoint, [0, 0]),
            self.codes.setdefault(code, [0, 0]),
        ):
            counts[0] += 1
            counts[1] += units
        return True

    def answer(self, status: int) -> None:
        """Count the status of an answer; from 400 on it counts as rejected."""
        self.statuses[str(status)] += 1
        if status >= 400:
            self.rejected[str(status)] += 1

    def counter(self, token: str, today: date) -> tuple[int, str]:
        """Return the account page's counter and its day: the day of the last charge."""
        day = self.shown.get(token, today.isoformat())
        return self.units[(token, day)], day

    def as_json(self) -> dict[str, Any]:
        """Return the ledger's totals as a JSON object."""
        days: Counter[str] = Counter()
        tokens: Counter[str] = Counter()
        for (token, day), units in self.units.items():
            days[day] += units
            tokens[token] += units
        return {
            "served_units": sum(self.units.values()),
            "served_requests": sum(requests for requests, _ in self.endpoints.values()),
            "requests": self.requests,
            "by_day": dict(days),
            "calls_by_token": dict(tokens),
            "by_endpoint": {
                name: {"requests": n, "units": u} for name, (n, u) in self.endpoints.items()
            },
            "by_code": {name: {"requests": n, "units": u} for name, (n, u) in self.codes.items()},
            "by_status": dict(self.statuses),
            "rejected": dict(self.rejected),
            "faults": dict(self.faults),
        }

    def save(self) -> None:
        """Write the ledger to its file, if any, unless nothing was counted since."""
        if self._path is None or not self._dirty:
            return
        self._dirty = False
        units = [[token, day, count] for (token, day), count in self.units.items()]
        kept = self.as_json() | {"units": units, "shown": self.shown}
        scratch = self._path.with_suffix(".new")
        scratch.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_text(json.dumps(kept))
        scratch.replace(self._path)

    def _load(self, kept: dict[str, Any]) -> None:
        self.requests = kept["requests"]
        self.units.update({(token, day): count for token, day, count in kept["units"]})
        self.shown.update(kept["shown"])
        for ours, name in ((self.endpoints, "by_endpoint"), (self.codes, "by_code")):
            ours.update({key: [row["requests"], row["units"]] for key, row in kept[name].items()})
        for counter, name in (
            (self.statuses, "by_status"),
            (self.rejected, "rejected"),
            (self.faults, "faults"),
        ):
            counter.update(kept[name])
