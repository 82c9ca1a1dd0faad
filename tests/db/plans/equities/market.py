"""Simulated provider with one exchange, by default Lisbon, whose sessions, splits, holes and lists tests control."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from tests.db.plans.equities.feed import bar, run
from tests.plan import Plan, Row

EVENING = "22:30:00+00"


@dataclass
class Market:
    """Answers requests as the provider would on a day; all prices are equal except for splits and corrections."""

    plan: Plan
    codes: list[str]
    day: str = ""
    splits: dict[str, dict[str, float]] = field(default_factory=dict)  # code -> ex-date -> ratio
    holes: dict[str, set[str]] = field(default_factory=dict)
    lists: list[Row] | None = None
    corrections: dict[tuple[str, str], tuple[str, float]] = field(default_factory=dict)
    """(code, session) -> day of the correction, and the corrected close."""
    lacked: set[str] = field(default_factory=set)
    """Listings missing from bulk calls."""
    group: str = "LS"
    calendar: str = "XLIS"
    log: list[tuple[str, str, str]] = field(default_factory=list)
    backwards: bool = False
    """Hand in the last chunks first."""

    def __post_init__(self) -> None:
        self.plan.sql(
            "update headgate.assets set is_active = false "
            "where universe = 'equities' and code <> all (%(codes)s)",
            codes=self.codes,
        )
        self.plan.sql(
            "update headgate.asset_processing_state set next_due_at = '2026-01-01' "
            "where next_due_at is not null"
        )
        self.sessions = [
            x["day"]
            for x in self.plan.sql(
                "select session::text as day from headgate.trading_sessions where "
                "calendar = %(calendar)s and session between '2026-01-01' and '2026-12-31' order by 1",
                calendar=self.calendar,
            )
        ]

    def evening(self, day: str) -> list[tuple[str, str]]:
        """Run the pipeline on a day's evening; return the requests except those for fundamentals."""
        self.day = day
        self.log = run(
            self.plan,
            f"{day} {EVENING}",
            self.answer,
            backwards=self.backwards,
            exchanges=[self.group],
        )
        return sorted((x, y) for x, y, _ in self.log if x != "fundamentals_bulk")

    def answer(self, operation: str, code: str, url: str) -> Any:
        """Answer one request."""
        if operation == "fundamentals_bulk":
            return {"General": {"Code": code}}
        if operation in ("splits_bulk", "dividends_bulk"):
            return self.actions(url)
        if operation == "symbol_list":
            return self.lists or []
        if operation in ("eod_bulk", "corrections_bulk"):
            asked = re.search(r"date=([-\d]+)", url)
            day = asked[1] if asked else self.day
            told = [x for x in self.codes if x not in self.lacked]
            bars = [(x, b) for x in told for b in self.bars(x) if b["date"] == day]
            return [{"code": x.removesuffix(f".{self.group}"), **b} for x, b in bars]
        since = re.search(r"from=([-\d]+)", url)
        return [x for x in self.bars(code) if x["date"] >= (since[1] if since else "")]

    def actions(self, url: str) -> list[Row]:
        """Return the splits of the requested session."""
        asked = re.search(r"date=([-\d]+)", url)
        assert asked, url
        return [
            {
                "code": code.removesuffix(f".{self.group}"),
                "date": day,
                "split": f"{ratio:.6f}/1.000000",
            }
            for code, splits in self.splits.items()
            for day, ratio in splits.items()
            if day == asked[1] and "splits" in url
        ]

    def bars(self, code: str) -> list[Row]:
        """Return a listing's bars as of the day, adjusted for the splits so far."""
        known = {x: y for x, y in self.splits.get(code, {}).items() if x <= self.day}
        found = []
        for day in self.sessions:
            if day > self.day or day in self.holes.get(code, ()):
                continue
            factor = 1.0
            for ex_date, ratio in known.items():
                factor *= ratio if day < ex_date else 1.0
            since, close = self.corrections.get((code, day), (self.day, 11.0))
            close = close if since <= self.day else 11.0
            found.append(bar(day, close=close, adjusted_close=close / factor))
        return found


class Evenings:
    """A market's evenings one after the other, for tests that begin after some of them.

    Each is worked off once and kept as a savepoint. Going back forgets those after it, so the tests that begin late
    come first.
    """

    def __init__(self, market: Market, days: list[str]) -> None:
        self._market = market
        self._days = days
        self.asked: list[list[tuple[str, str]]] = []
        """The requests of each evening so far."""
        self._keep()

    def after(self, count: int) -> Market:
        """Return the market as it is after so many evenings."""
        if count <= len(self.asked):
            del self.asked[count:]
            self._market.plan.connection.execute(f"rollback to {self._savepoint}".encode())
        while len(self.asked) < count:
            self.asked.append(self._market.evening(self._days[len(self.asked)]))
            self._keep()
        market = copy.copy(self._market)
        market.day = self._days[count - 1] if count else ""
        return market

    def _keep(self) -> None:
        self._market.plan.connection.execute(f"savepoint {self._savepoint}".encode())

    @property
    def _savepoint(self) -> str:
        return f"after_{len(self.asked)}_evenings"


def weekdays(start: str, count: int) -> list[str]:
    """Return `count` weekdays from a day on."""
    first = date.fromisoformat(start).toordinal()
    days = [date.fromordinal(first + x) for x in range(count * 2)]
    return [x.isoformat() for x in days if x.weekday() < 5][:count]
