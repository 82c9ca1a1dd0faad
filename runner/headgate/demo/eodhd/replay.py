"""Real bars and corporate actions as known on each day, with first values and later corrections.

A bar appears on the day it was first seen, changes to its second values on the day these were seen,
and is adjusted for the actions known by then.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from headgate.demo.eodhd import market
from headgate.demo.eodhd.bars import Action

BARS, ACTIONS = "us_eod_bitemporal/eod.csv.gz", "us_corporate_actions/actions.csv.gz"
FIGURES = ("open", "high", "low")
Number = int | float | None


@dataclass(frozen=True, slots=True)
class _Known:
    """An action, and the day on which it became known."""

    ex_date: str
    first_seen: str
    factor: float
    action: Action | None


class Replay:
    """Bars and actions from two files of a folder, as SYMBOL.US."""

    def __init__(self, folder: Path) -> None:
        self._bars: dict[str, list[dict[str, str]]] = defaultdict(list)
        for row in _rows(folder / BARS):
            self._bars[_code(row["symbol"])].append(row)
        for bars in self._bars.values():
            bars.sort(key=lambda row: row["date"])
        self._actions: dict[str, list[_Known]] = defaultdict(list)
        for row in _rows(folder / ACTIONS):
            if (code := _code(row["symbol"])) in self._bars:
                self._actions[code].append(
                    _Known(row["ex_date"], row["first_seen"], float(row["factor"]), _told(row))
                )

    def knows(self, code: str) -> bool:
        """Return whether the files have the symbol."""
        return code in self._bars

    def listings(self) -> list[market.Listing]:
        """Return the files' symbols as listings of the US."""
        rest = ("Common Stock", "USD", "USA", "", "", "", "", "")
        symbols = [(code, code.removesuffix(".US")) for code in sorted(self._bars)]
        return [market.Listing(x, "US", "XNYS", "NYSE", y, y, *rest) for x, y in symbols]

    def rows(self, code: str, start: str | None, end: str | None, now: float) -> list[str]:
        """Return the bars of the range as they were known on the day of `now`."""
        today = market.day_of(now)
        known = [x for x in self._actions[code] if max(x.ex_date, x.first_seen) <= today]
        found = []
        for row in self._bars[code]:
            if row["first_seen"] <= today and (start or "") <= row["date"] <= (end or "9"):
                found.append(_bar(row, known, today))
        return found

    def actions(self, code: str, start: str, end: str) -> list[Action]:
        """Return the actions that were known by their ex-date; later ones are never served."""
        return [
            x.action
            for x in self._actions.get(code, ())
            if x.action is not None and start <= x.ex_date <= end and x.first_seen <= x.ex_date
        ]


def _bar(row: dict[str, str], known: list[_Known], today: str) -> str:
    """Return a bar as JSON text, with its second values if they were seen by today."""
    again = bool(row["seen_again"]) and row["seen_again"] <= today
    close = _number((again and row["close_2"]) or row["close"])
    factor = 1.0
    for action in known:
        factor *= action.factor if action.ex_date > row["date"] else 1.0
    bar: dict[str, str | Number] = {"date": row["date"]}
    bar |= {name: _number(row[name]) for name in FIGURES}
    bar |= {"close": close, "adjusted_close": None if close is None else close * factor}
    return json.dumps(bar | {"volume": _number((again and row["volume_2"]) or row["volume"])})


def _number(text: str) -> Number:
    """Return a number as written in the files: "000" is 0, an empty text is None."""
    if not text:
        return None
    return int(text) if text.isdigit() else float(text)


def _told(row: dict[str, str]) -> Action | None:
    """Return the action as the provider reports it; None for kinds that it does not report."""
    if row["kind"] == "split":
        new, _, old = row["split_ratio"].partition("/")
        return Action(row["ex_date"], ratio=float(new) / float(old))
    if row["kind"] == "dividend":
        return Action(row["ex_date"], value=float(row["implied_dividend"]))
    return None


def _code(symbol: str) -> str:
    return symbol.replace(".", "-") + ".US"


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)
