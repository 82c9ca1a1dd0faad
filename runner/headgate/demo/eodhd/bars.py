"""Daily bars as JSON text: synthetic ones for any code, or real ones from a folder.

A synthetic price is a geometric random walk, composed of two of a few dozen shared walks, each read
from an offset that depends on the code. So any bar can be computed without the previous ones, and
is the same in every process.
"""

from __future__ import annotations

import gzip
import hashlib
import random
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from math import exp
from pathlib import Path
from typing import Protocol

from headgate.demo.eodhd import market

WALKS, STEPS = 24, 12_288
SESSIONS = 4_096  # more than any calendar has
ROW = (
    '{"date":"%s","open":%.4f,"high":%.4f,"low":%.4f,"close":%.4f,'
    '"adjusted_close":%.4f,"volume":%d}'
)


@dataclass(frozen=True, slots=True)
class Action:
    """A split (`ratio` new shares for one old) or a dividend (`value` a share), by its ex-date."""

    date: str
    ratio: float = 1.0
    value: float = 0.0


class Source(Protocol):
    """Source of bars; dates are ISO text."""

    def knows(self, code: str) -> bool:
        """Return whether the ticker exists."""
        ...

    def listings(self) -> Iterable[market.Listing]:
        """Return the listings of the exchanges."""
        ...

    def rows(self, code: str, start: str | None, end: str | None, now: float) -> list[str]:
        """Return the published bars of the range, oldest first, each as a JSON object's text."""
        ...

    def actions(self, code: str, start: str, end: str) -> list[Action]:
        """Return the corporate actions with an ex-date in the range, oldest first."""
        ...


@dataclass(frozen=True, slots=True)
class _Character:
    """Parameters of one code's bars."""

    walks: tuple[list[float], list[float]]
    places: tuple[int, int]
    price: float
    volume: int
    noise: int
    payout: float  # share of the price paid out on an ex-date, 0 for none
    ex_phase: int
    split_at: int  # session index, -1 for none
    split_ratio: float


class Synthetic:
    """Invented bars on real sessions; for most codes every 63rd session is an ex-date."""

    def __init__(self, *, any_ticker: bool = False, history_days: int = 730) -> None:
        self._any_ticker = any_ticker
        _walks(), _noise()  # computed now, not in the first request
        self._history_seconds = history_days * 86_400

    def knows(self, code: str) -> bool:
        """Return whether the code is a shipped listing or pair, or any valid code if allowed."""
        return (
            code in market.listings()
            or code in market.PAIRS
            or (self._any_ticker and market.split_code(code) is not None)
        )

    def listings(self) -> Iterable[market.Listing]:
        """Return the shipped listings."""
        return market.listings().values()

    def rows(self, code: str, start: str | None, end: str | None, now: float) -> list[str]:
        """Return the bars of the range, by default of the last `history_days`."""
        calendar = market.calendars_by_group()[code.rpartition(".")[2]]
        latest = calendar.last(now)
        first = calendar.first(start or market.day_of(now - self._history_seconds))
        last = latest if end is None else min(latest, calendar.until(end))
        return _bars(_character(code), calendar, first, last, latest)

    def actions(self, code: str, start: str, end: str) -> list[Action]:
        """Return dividends, and the one split that a few codes have."""
        calendar = market.calendars_by_group()[code.rpartition(".")[2]]
        own = _character(code)
        found = []
        for index in range(calendar.first(start), calendar.until(end) + 1):
            if index == own.split_at:
                found.append(Action(calendar.dates[index], ratio=own.split_ratio))
            if own.payout and index > 0 and index % 63 == own.ex_phase:
                value = own.payout * _closes(own, index - 1, index - 1)[0]
                found.append(Action(calendar.dates[index], value=round(value, 4)))
        return found


class FromFolder:
    """Real bars from a folder's eod.csv.gz, as SYMBOL.US, including defects; by default all.

    Columns: symbol, date, open, high, low, close, volume, and adjusted_close, which defaults to the
    close. An empty cell is null.
    """

    def __init__(self, folder: Path) -> None:
        self._lines: dict[str, list[str]] = {}
        with gzip.open(folder / "eod.csv.gz", "rt", encoding="utf-8") as file:
            next(file)
            for line in file:
                symbol, _, rest = line.rstrip("\n").partition(",")
                self._lines.setdefault(symbol.replace(".", "-") + ".US", []).append(rest)
        for lines in self._lines.values():
            lines.sort()

    def knows(self, code: str) -> bool:
        """Return whether the file has the symbol."""
        return code in self._lines

    def listings(self) -> Iterable[market.Listing]:
        """Return the shipped listings."""
        return market.listings().values()

    def rows(self, code: str, start: str | None, end: str | None, now: float) -> list[str]:
        """Return the file's rows of the range, up to the last published session."""
        calendar = market.calendars()["XNYS"]
        latest = calendar.last(now)
        last_day = calendar.dates[latest] if latest >= 0 else ""
        lines = self._lines[code]
        first = bisect_right(lines, start or "")
        until = bisect_right(lines, min(end or last_day, last_day) + "~")
        return [_real_row(line) for line in lines[first:until]]

    def actions(self, code: str, start: str, end: str) -> list[Action]:
        """Return an empty list: the file has no actions."""
        return []


def _bars(
    own: _Character, calendar: market.Calendar, first: int, last: int, latest: int
) -> list[str]:
    """Return the bars of sessions `first` to `last`, adjusted for actions up to `latest`."""
    if first > last:
        return []
    closes = _closes(own, first, last)
    opens = [_closes(own, first - 1, first - 1)[0] if first else closes[0], *closes[:-1]]
    if first <= own.split_at <= last:
        opens[own.split_at - first] /= own.split_ratio
    part = slice(own.noise + first, own.noise + last + 1)
    gaps, highs, lows, volumes = (table[part] for table in _noise())
    rows = zip(
        calendar.dates[first : last + 1],
        [price * gap for price, gap in zip(opens, gaps, strict=True)],
        highs,
        lows,
        closes,
        _adjustments(own, first, last, latest),
        volumes,
        strict=True,
    )
    return [
        ROW
        % (
            day,
            o,
            top * (o if o > c else c),
            bottom * (o if o < c else c),
            c,
            c * f,
            own.volume * v,
        )
        for day, o, top, bottom, c, f, v in rows
    ]


def _closes(own: _Character, first: int, last: int) -> list[float]:
    (one, two), (here, there) = own.walks, own.places
    level = own.price / (one[here] * two[there])
    moves = zip(
        one[here + first : here + last + 1], two[there + first : there + last + 1], strict=True
    )
    closes = [level * x * y for x, y in moves]
    for number in range(min(own.split_at, last + 1) - first):
        closes[number] *= own.split_ratio
    return closes


def _adjustments(own: _Character, first: int, last: int, latest: int) -> list[float]:
    """Return each session's adjustment factor for later dividends and a split, up to `latest`."""
    factors = [1.0] * (last + 1 - first)
    if own.payout:
        so_far = (latest - own.ex_phase) // 63
        for number in range(last + 1 - first):
            later = so_far - (first + number - own.ex_phase) // 63
            if not later:
                break
            factors[number] = (1.0 - own.payout) ** later
    if own.split_at <= latest:
        for number in range(min(own.split_at, last + 1) - first):
            factors[number] /= own.split_ratio
    return factors


@lru_cache(maxsize=65_536)
def _character(code: str) -> _Character:
    draw = random.Random(hashlib.blake2b(code.encode(), digest_size=8).digest())
    walks = _walks()
    room = STEPS - SESSIONS
    if code in market.PAIRS:  # within 1 % of its price in PAIRS, and never split
        calm, places = _noise()[0], (draw.randrange(room), draw.randrange(room))
        return _Character((calm, calm), places, market.PAIRS[code], 0, 0, 0.0, 0, -1, 1.0)
    return _Character(
        walks=(draw.choice(walks), draw.choice(walks)),
        places=(draw.randrange(room), draw.randrange(room)),
        price=exp(draw.gauss(3.6, 0.9)),
        volume=int(exp(draw.gauss(12.0, 1.6))) + 10,
        noise=draw.randrange(room),
        payout=draw.choice((0.0, 0.0, 0.004, 0.006, 0.009)),
        ex_phase=draw.randrange(63),
        split_at=draw.randrange(3_000, 3_900) if draw.random() < 0.03 else -1,
        split_ratio=draw.choice((2.0, 4.0, 0.1)),
    )


@cache
def _walks() -> list[list[float]]:
    """Return the shared walks of different volatility, as factors of a price."""
    draw = random.Random("walks")
    walks = []
    for number in range(WALKS):
        level, walk = 0.0, []
        for _ in range(STEPS):
            walk.append(exp(level))
            level += 0.0001 + (0.007 + 0.0009 * number) * (2.0 * draw.random() - 1.0)
        walks.append(walk)
    return walks


@cache
def _noise() -> tuple[list[float], ...]:
    """Return the shared factors of open, high, low and volume."""
    draw = random.Random("noise")
    ranges = ((0.996, 1.004), (1.0, 1.006), (0.994, 1.0), (0.3, 1.7))
    return tuple([draw.uniform(low, high) for _ in range(STEPS)] for low, high in ranges)


def _real_row(line: str) -> str:
    day, opened, high, low, close, volume, *adjusted = (cell or "null" for cell in line.split(","))
    return (
        f'{{"date":"{day}","open":{opened},"high":{high},"low":{low},"close":{close},'
        f'"adjusted_close":{adjusted[0] if adjusted else close},"volume":{volume}}}'
    )
