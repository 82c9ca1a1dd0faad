"""Faults on request: rules that select requests and say how their answers go wrong.

A rule: {"match": {...}, "fault": {"kind": ..., ...}}; "fault" may be the kind alone. All conditions
of `match` must hold: path (regular expression), code (regular expression for the whole code), and,
among requests that match these: first (the first n), after (all but the first n), every (each nth),
probability (from the seed, the path and the number of its requests, so that the order of arrival
does not matter). The first matching rule decides; after a latency rule, later ones apply too.
"""

from __future__ import annotations

import asyncio
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

# A rejected request costs nothing; a served answer is charged even if it is spoilt.
REJECTIONS = frozenset({"status", "redirect"})
DELIVERIES = frozenset({"latency", "hold", "drop", "drip", "html_200", "no_content", "charset"})
MATCHES = frozenset({"path", "code", "first", "after", "every", "probability"})

HTML = (
    "<html>\r\n<head><title>{0}</title></head>\r\n"
    "<body>\r\n<center><h1>{0}</h1></center>\r\n</body>\r\n</html>\r\n"
)
HALF_A_PAIR = b'[{"date": "+2AA-"}]'  # in UTF-7: half of a surrogate pair, an invalid character
WARNING = "Data is limited by one year as you have free subscription"
QUOTA_USED_UP = (
    "You exceeded your daily API requests limit.  Please contact support@eodhistoricaldata.com"
)
REASONS = {429: "429 Too Many Requests", 500: "500 Internal Server Error", 502: "502 Bad Gateway"}


@dataclass(slots=True)
class Rule:
    """A rule, and the number of requests that matched its path and code."""

    fault: Mapping[str, Any]
    path: re.Pattern[str] | None = None
    code: re.Pattern[str] | None = None
    first: int | None = None
    after: int = 0
    every: int = 1
    probability: float = 1.0
    seed: int = 0
    matched: int = 0
    asked: Counter[str] = field(default_factory=Counter)

    @classmethod
    def parse(cls, row: Mapping[str, Any], seed: int) -> Rule:
        """Parse a rule. Raises ValueError for an unknown fault or condition."""
        match = dict(row.get("match", {}))
        fault = (
            row["fault"] if isinstance(row.get("fault"), Mapping) else {"kind": row.get("fault")}
        )
        if fault.get("kind") not in KINDS:
            raise ValueError(
                f"unknown fault {fault.get('kind')!r}; known: {', '.join(sorted(KINDS))}"
            )
        if unknown := set(match) - MATCHES:
            raise ValueError(
                f"unknown match {', '.join(sorted(unknown))}; known: {', '.join(sorted(MATCHES))}"
            )
        for name in ("path", "code"):
            match[name] = re.compile(match[name]) if match.get(name) else None
        return cls(fault=fault, seed=seed, **match)

    def holds(self, path: str, code: str) -> bool:
        """Return whether the fault applies to a request, and count the request if it matches."""
        if (self.path and not self.path.search(path)) or (
            self.code and not self.code.fullmatch(code)
        ):
            return False
        self.matched += 1
        if self.matched <= self.after or (self.first is not None and self.matched > self.first):
            return False
        if self.matched % self.every:
            return False
        return self.probability >= 1.0 or self._chance(path) < self.probability

    def _chance(self, path: str) -> float:
        self.asked[path] += 1
        return zlib.crc32(f"{self.seed} {path} {self.asked[path]}".encode()) / 2**32


class Faults:
    """The rules in force."""

    def __init__(self, rows: Iterable[Mapping[str, Any]] = (), seed: int = 0) -> None:
        self._seed = seed
        self.replaced = asyncio.Event()
        """Set when the rules are replaced."""
        self.set(rows)

    def set(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Replace all rules."""
        self._rules = [Rule.parse(row, self._seed + number) for number, row in enumerate(rows)]
        self.replaced.set()
        self.replaced = asyncio.Event()

    def pick(self, path: str, code: str) -> tuple[float, Mapping[str, Any] | None]:
        """Return the seconds to wait before answering, and the request's fault, if any."""
        seconds = 0.0
        for rule in self._rules:
            if not rule.holds(path, code):
                continue
            if rule.fault["kind"] != "latency":
                return seconds, rule.fault
            seconds += rule.fault.get("ms", 0) / 1000.0
        return seconds, None


def error_body(status: int) -> tuple[str, str]:
    """Return the content type and body of the provider's error with that status."""
    if status == 402:
        return "text/plain", QUOTA_USED_UP
    if status in (401, 403):
        return "text/plain", "Unauthenticated"
    if status == 404:
        return "text/plain", "Ticker Not Found."
    return "text/html", HTML.format(REASONS.get(status, f"{status} Error"))


def spoil(fault: Mapping[str, Any], body: bytes) -> tuple[str, bytes]:
    """Return the content type and body of a served answer, spoilt by the fault."""
    kind = fault["kind"]
    if kind == "html_200":
        return "text/html", HTML.format("Service temporarily unavailable").encode()
    if kind == "charset":
        return f"application/json; charset={fault.get('name', 'utf-7')}", HALF_A_PAIR
    spoiler = _SPOILERS.get(kind)
    return "application/json", spoiler(fault, body) if spoiler else body


def _truncated(fault: Mapping[str, Any], body: bytes) -> bytes:
    return body[: int(len(body) * fault.get("share", 0.5))]


def _wrong_json(fault: Mapping[str, Any], body: bytes) -> bytes:
    return json.dumps(fault.get("body", {"data": {"unexpected": [1, 2, 3]}})).encode()


def _empty(fault: Mapping[str, Any], body: bytes) -> bytes:
    return b"{}" if body.startswith(b"{") else b"[]"


def _warning(fault: Mapping[str, Any], body: bytes) -> bytes:
    rows = json.loads(body)
    if not isinstance(rows, list) or not rows:
        return json.dumps([{"warning": WARNING}]).encode()
    cut = (date.fromisoformat(rows[-1]["date"]) - timedelta(days=365)).isoformat()
    return json.dumps([row | {"warning": WARNING} for row in rows if row["date"] >= cut]).encode()


def _huge(fault: Mapping[str, Any], body: bytes) -> bytes:
    padding = b" " * int(fault.get("megabytes", 64) * 1024 * 1024)
    return body[:1] + padding + body[1:]


def _nul(fault: Mapping[str, Any], body: bytes) -> bytes:
    """Insert a NUL into the first text value: escaped, as JSON allows, or as a raw byte."""
    return body.replace(b'":"', b'":"' + (b"\0" if fault.get("raw") else b"\\u0000"), 1)


def _missing(fault: Mapping[str, Any], body: bytes) -> bytes:
    """Remove some symbols from a bulk answer: rows of a day, or a page of companies."""
    found = json.loads(body)
    if isinstance(found, dict):
        kept = [x for x in found.values() if x["General"]["Code"] not in fault["codes"]]
        return json.dumps(dict(enumerate(kept))).encode()
    return json.dumps([x for x in found if x["code"] not in fault["codes"]]).encode()


def _bad_bars(fault: Mapping[str, Any], body: bytes) -> bytes:
    """Spoil every nth row (default: third) with the named defects in turn (default: all)."""
    rows = json.loads(body)
    if not isinstance(rows, list):
        return body
    names = fault.get("defects") or list(DEFECTS)
    for turn, number in enumerate(range(0, len(rows), fault.get("every", 3))):
        row = rows[number]
        row |= DEFECTS[names[turn % len(names)]](row)
    return json.dumps(rows).encode()


def _figure(row: dict[str, Any], name: str) -> float:
    return row[name] if row[name] is not None else 1.0


DEFECTS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "high_below_low": lambda row: {"high": _figure(row, "low"), "low": _figure(row, "low") + 1},
    "negative_price": lambda row: {"low": -_figure(row, "low")},
    "zero_price": lambda row: {"close": 0},
    "no_close": lambda row: {"close": None},
    "close_outside": lambda row: {"close": _figure(row, "high") * 2},
    "negative_volume": lambda row: {"volume": -_figure(row, "volume")},
    "no_session": lambda row: {"date": row["date"][:4] + "-12-25"},
    "future_date": lambda row: {"date": "2099-01-04"},
    "no_date": lambda row: {"date": None},
    "text_price": lambda row: {"open": "n/a"},
}

_SPOILERS: dict[str, Callable[[Mapping[str, Any], bytes], bytes]] = {
    "truncated": _truncated,
    "wrong_json": _wrong_json,
    "empty": _empty,
    "warning": _warning,
    "huge": _huge,
    "nul": _nul,
    "missing": _missing,
    "bad_bars": _bad_bars,
}
KINDS = REJECTIONS | DELIVERIES | set(_SPOILERS)
