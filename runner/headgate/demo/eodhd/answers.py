"""Answers of the API and their prices in units: one method per endpoint."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import unquote

from headgate.demo.eodhd import bars, market
from headgate.demo.eodhd.clock import Clock
from headgate.demo.eodhd.fundamentals import fundamentals, select, shortened

Query = Mapping[str, str]
EOD_COLUMNS = ("date", "open", "high", "low", "close", "adjusted_close", "volume")
PAGE = 500
TYPES = {
    "common_stock": "Common Stock",
    "preferred_stock": "Preferred Stock",
    "etf": "ETF",
    "fund": "FUND",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer to send: its price in units, and its code in the ledger."""

    units: int
    code: str
    body: bytes
    content_type: str = "application/json"


class Refused(Exception):
    """A request that is rejected, at no cost."""

    def __init__(self, status: int, text: str | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.text = text


class Api:
    """The endpoints that serve data; the server itself serves the account's."""

    def __init__(self, source: bars.Source, clock: Clock, *, extended: bool = False) -> None:
        self._source = source
        self._clock = clock
        self._extended = extended
        self._endpoints = {
            "eod": self.eod,
            "fundamentals": self.fundamentals,
            "bulk-fundamentals": self.bulk_fundamentals,
            "splits": self.splits,
            "div": self.dividends,
            "eod-bulk-last-day": self.bulk,
            "exchange-symbol-list": self.symbols,
            "exchanges-list": self.exchanges,
        }

    def answer(self, endpoint: str, subject: str, query: Query) -> Answer:
        """Return the answer for `/api/endpoint/subject`. Raises Refused."""
        serve = self._endpoints.get(endpoint)
        if serve is None:
            raise Refused(404, "Not Found")
        return serve(unquote(subject), query)

    def eod(self, subject: str, query: Query) -> Answer:
        """Return daily bars of one ticker: 1 unit for any number of bars."""
        code = self._code(subject)
        if query.get("period", "d") != "d":
            raise Refused(422, "The stand-in serves daily bars only.")
        rows = self._source.rows(
            code, _day(query, "from"), _day(query, "to"), self._clock.seconds()
        )
        if query.get("filter") == "last_close":
            return Answer(
                1, code, json.dumps(json.loads(rows[-1])["close"] if rows else "NA").encode()
            )
        if query.get("order") == "d":
            rows = rows[::-1]
        if query.get("fmt") == "json":
            return Answer(1, code, ("[" + ",".join(rows) + "]").encode())
        header = [name.capitalize() for name in EOD_COLUMNS]
        return Answer(1, code, _csv(map(json.loads, rows), EOD_COLUMNS, header), "text/csv")

    def fundamentals(self, subject: str, query: Query) -> Answer:
        """Return fundamentals of one ticker: 10 units, filtered or not; always JSON."""
        code = self._code(subject)
        found: Any = fundamentals(code, self._clock.now().date())
        if query.get("filter"):
            found = select(found, query["filter"])
        return Answer(10, code, json.dumps(found).encode())

    def bulk_fundamentals(self, subject: str, query: Query) -> Answer:
        """Return a page of an exchange's stocks: 100 units, plus 1 for each named symbol."""
        if not self._extended:
            raise Refused(403, "Only the Extended Fundamentals plan has this.")
        listed = self._listed(subject)
        named = _names(query, listed[0].group_key)
        stocks = [row for row in listed if row.type not in ("ETF", "FUND")]
        if named:
            stocks = [row for row in stocks if row.code in named]
        offset, limit = int(query.get("offset", 0)), min(PAGE, int(query.get("limit", PAGE)))
        today = self._clock.now().date()
        page = {
            str(place): shortened(fundamentals(row.code, today))
            for place, row in enumerate(stocks[offset : offset + limit])
        }
        return Answer(100 + len(named), subject, json.dumps(page).encode())

    def splits(self, subject: str, query: Query) -> Answer:
        """Return splits of one ticker: 1 unit."""
        code = self._code(subject)
        actions = self._actions(code, query)
        rows = [{"date": row.date, "split": _split(row)} for row in actions if row.ratio != 1.0]
        return _table(1, code, rows, query)

    def dividends(self, subject: str, query: Query) -> Answer:
        """Return dividends of one ticker: 1 unit."""
        code = self._code(subject)
        currency = market.EXCHANGES[code.rpartition(".")[2]][3]
        rows = [
            {
                "date": row.date,
                "period": "Quarterly",
                "value": row.value,
                "unadjustedValue": row.value,
                "currency": currency,
            }
            for row in self._actions(code, query)
            if row.value
        ]
        return _table(1, code, rows, query)

    def bulk(self, subject: str, query: Query) -> Answer:
        """Return one day of an exchange: 100 units, plus 1 for each named symbol."""
        listed = self._listed(subject)
        now = self._clock.seconds()
        group = listed[0].group_key
        calendar = market.calendars_by_group()[group]
        last = calendar.last(now)
        day = _day(query, "date") or (calendar.dates[last] if last >= 0 else "")
        named = _names(query, group)
        if named:
            listed = [row for row in listed if row.code in named]
        kind = query.get("type", "eod")
        if kind in ("splits", "dividends"):
            rows = self._bulk_actions(listed, day, kind)
        else:
            rows = self._bulk_bars(listed, day, now)
        return _table(100 + len(named), subject, rows, query)

    def symbols(self, subject: str, query: Query) -> Answer:
        """Return the tickers of an exchange: 1 unit."""
        wanted = {
            TYPES.get(name, "Common Stock") for name in query.get("type", "").split(",") if name
        }
        rows = [
            {
                "Code": row.symbol,
                "Name": row.name,
                "Country": row.country or market.EXCHANGES[row.group_key][2],
                "Exchange": row.exchange if row.group_key == "US" else row.group_key,
                "Currency": row.currency,
                "Type": row.type,
                "Isin": row.isin or None,
            }
            for row in self._listed(subject)
            if query.get("delisted") != "1" and (not wanted or row.type in wanted)
        ]
        return _table(1, subject, rows, query)

    def exchanges(self, subject: str, query: Query) -> Answer:
        """Return the exchanges: 1 unit."""
        names = ("Name", "OperatingMIC", "Country", "Currency", "CountryISO2", "CountryISO3")
        rows = [
            {"Code": code} | dict(zip(names, row, strict=True))
            for code, row in market.EXCHANGES.items()
        ]
        return _table(1, "", rows, query)

    def _code(self, subject: str) -> str:
        parts = market.split_code(subject)
        code = ".".join(parts) if parts else ""
        if not self._source.knows(code):
            raise Refused(404)
        return code

    def _listed(self, exchange: str) -> list[market.Listing]:
        listings = self._source.listings()
        rows = [row for row in listings if exchange in (row.group_key, row.exchange)]
        if not rows:
            raise Refused(404, "Exchange Not Found.")
        return rows

    def _actions(self, code: str, query: Query) -> list[bars.Action]:
        today = market.day_of(self._clock.seconds())
        start, end = _day(query, "from") or "2012-01-01", _day(query, "to") or today
        return self._source.actions(code, start, min(end, today))

    def _bulk_bars(
        self, listed: list[market.Listing], day: str, now: float
    ) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for row in listed:
            if not self._source.knows(row.code):
                continue
            about = {"code": row.symbol, "exchange_short_name": row.group_key}
            bars_of_day = self._source.rows(row.code, day, day, now)
            found += [about | json.loads(bar) for bar in bars_of_day]
        return found

    def _bulk_actions(
        self, listed: list[market.Listing], day: str, kind: str
    ) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        unknown = dict.fromkeys(("declarationDate", "recordDate", "paymentDate", "period"), "")
        for row in listed:
            for action in self._source.actions(row.code, day, day):
                about = {"code": row.symbol, "exchange": row.group_key, "date": action.date}
                if kind == "splits" and action.ratio != 1.0:
                    found.append(about | {"split": _split(action)})
                elif kind == "dividends" and action.value:
                    paid = {"dividend": action.value, "unadjustedValue": action.value}
                    found.append(about | paid | {"currency": row.currency} | unknown)
        return found


def _names(query: Query, group: str) -> list[str]:
    """Return the codes of the symbols named in the query."""
    named = [name.strip() for name in query.get("symbols", "").split(",") if name.strip()]
    return [name if "." in name else f"{name}.{group}" for name in named]


def _split(action: bars.Action) -> str:
    new, old = (action.ratio, 1.0) if action.ratio >= 1 else (1.0, 1.0 / action.ratio)
    return f"{new:.6f}/{old:.6f}"


def _day(query: Query, name: str) -> str | None:
    text = query.get(name)
    if not text:
        return None
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as exc:
        raise Refused(422, f"Invalid date in `{name}`.") from exc


def _table(units: int, code: str, rows: list[dict[str, Any]], query: Query) -> Answer:
    """Return an answer with rows, as JSON if requested, else as CSV, the provider's default."""
    if query.get("fmt") == "json":
        return Answer(units, code, json.dumps(rows).encode())
    columns = tuple(rows[0]) if rows else ()
    return Answer(units, code, _csv(rows, columns, columns), "text/csv")


def _csv(rows: Iterable[dict[str, Any]], columns: Iterable[str], header: Iterable[str]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([row[name] for name in columns] for row in rows)
    return text.getvalue().encode()
