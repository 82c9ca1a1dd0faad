"""Market data of the stand-in: the shipped listings and their trading sessions."""

from __future__ import annotations

import csv
import gzip
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from headgate.settings import shipped

DATA = shipped("db") / "plans" / "equities" / "data"
PUBLICATION_LAG_SECONDS = 15 * 60

EXCHANGES = {
    "US": ("USA Stocks", "XNAS, XNYS, OTCM", "USA", "USD", "US", "USA"),
    "LSE": ("London Exchange", "XLON", "UK", "GBP", "GB", "GBR"),
    "F": ("Frankfurt Exchange", "XFRA", "Germany", "EUR", "DE", "DEU"),
    "XETRA": ("XETRA Stock Exchange", "XETR", "Germany", "EUR", "DE", "DEU"),
    "PA": ("Euronext Paris", "XPAR", "France", "EUR", "FR", "FRA"),
    "AS": ("Euronext Amsterdam", "XAMS", "Netherlands", "EUR", "NL", "NLD"),
    "BR": ("Euronext Brussels", "XBRU", "Belgium", "EUR", "BE", "BEL"),
    "LS": ("Euronext Lisbon", "XLIS", "Portugal", "EUR", "PT", "PRT"),
    "MC": ("Madrid Exchange", "BMEX", "Spain", "EUR", "ES", "ESP"),
    "SW": ("SIX Swiss Exchange", "XSWX", "Switzerland", "CHF", "CH", "CHE"),
    "VI": ("Vienna Exchange", "XWBO", "Austria", "EUR", "AT", "AUT"),
    "FOREX": ("FOREX", "", "Unknown", "Unknown", "", ""),
}
DOLLARS = {
    "EUR": 1.08,
    "GBP": 1.27,
    "CHF": 1.13,
    "CAD": 0.73,
    "AUD": 0.66,
    "JPY": 0.0067,
    "HKD": 0.128,
}
DOLLARS |= {
    "SEK": 0.095,
    "NOK": 0.094,
    "DKK": 0.145,
    "PLN": 0.25,
    "CZK": 0.043,
    "HUF": 0.0028,
    "ILS": 0.27,
}
PAIRS = {f"{currency}USD.FOREX": worth for currency, worth in DOLLARS.items()}
"""Currency pairs and their approximate prices; they trade in New York's sessions."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One line of the shipped listings."""

    code: str
    group_key: str
    calendar: str
    exchange: str
    symbol: str
    name: str
    type: str
    currency: str
    country: str
    sector: str
    industry: str
    isin: str
    figi: str
    market_cap_bucket: str


@dataclass(frozen=True, slots=True)
class Calendar:
    """Sessions of a calendar: dates, and publication times of the bars in seconds since 1970."""

    dates: list[str] = field(default_factory=list)
    out_at: list[float] = field(default_factory=list)

    def last(self, now: float) -> int:
        """Return the index of the last session whose bar is published, -1 before the first."""
        return bisect_right(self.out_at, now) - 1

    def first(self, day: str) -> int:
        """Return the index of the first session on or after a day."""
        return bisect_left(self.dates, day)

    def until(self, day: str) -> int:
        """Return the index of the last session on or before a day."""
        return bisect_right(self.dates, day) - 1


@cache
def listings() -> dict[str, Listing]:
    """Return the shipped listings by code."""
    return {row["code"]: Listing(**row) for row in _rows("equities.shipped_listings.csv.gz")}


def add_listings(path: Path) -> None:
    """Add listings from a CSV file with the shipped file's columns and calendars."""
    with path.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            known = dict.fromkeys((x.name for x in fields(Listing)), "") | row
            listings()[row["code"]] = Listing(**known)
    calendars_by_group.cache_clear()


@cache
def calendars() -> dict[str, Calendar]:
    """Return the shipped calendars by name."""
    found: dict[str, Calendar] = {}
    for row in _rows("equities.shipped_sessions.csv.gz"):
        calendar = found.setdefault(row["calendar"], Calendar())
        calendar.dates.append(row["session"])
        calendar.out_at.append(
            datetime.fromisoformat(row["closes_at"]).timestamp() + PUBLICATION_LAG_SECONDS
        )
    return found


@cache
def calendars_by_group() -> dict[str, Calendar]:
    """Return the calendar of each exchange code."""
    found = {row.group_key: calendars()[row.calendar] for row in listings().values()}
    return found | {"FOREX": calendars()["XNYS"]}


def split_code(text: str) -> tuple[str, str] | None:
    """Split a ticker into symbol and exchange code, by default US; None if it is invalid."""
    symbol, dot, group = text.partition(".")
    if not symbol or "." in group or (dot and group not in EXCHANGES):
        return None
    return symbol, group or "US"


def day_of(seconds: float) -> str:
    """Return the UTC day of a time, as text."""
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def _rows(name: str) -> Iterator[dict[str, str]]:
    with gzip.open(DATA / name, "rt", encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)
