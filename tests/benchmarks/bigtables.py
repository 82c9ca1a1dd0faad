"""Big tables: do the times of a load, a daily update and queries grow with the table of prices?

Years of bars are loaded one after the other, as by `headgate load`. After each year the same operations
are timed: reading a year of one listing's bars, reading all closes of a day, and upserting one more day
for every listing, which is rolled back. Times for 100 million bars are extrapolated from these, and
labelled as such. The cache is warm: 20 million bars are 2 GB. Touched pages are counted too: a busy
machine changes the time, but not the pages, so the goals are on pages.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, LiteralString

import numpy as np
import numpy.typing as npt
from psycopg import Connection

from headgate.database import connect
from headgate.migrate.load import copy_block
from headgate.settings import Settings
from tests.benchmarks import system
from tests.benchmarks.measure import Figure

SESSIONS: Final = 250
BLOCK: Final = 2_000
FAR: Final = 100_000_000
MAX_GROWTH: Final = 2.0
TYPES: Final = {
    "asset_id": 20,
    "date": 1082,
    "open": 701,
    "high": 701,
    "low": 701,
    "close": 701,
    "adjusted_close": 701,
    "volume": 20,
}
ONE_ASSET: LiteralString = (
    "select date, close from equities.prices where asset_id = %(asset)s"
    " and date >= %(day)s::date - 364 and date <= %(day)s::date order by date"
)
ONE_DAY: LiteralString = (
    "select count(*), avg(close) from equities.prices where date = %(day)s::date"
)
NEXT_DAY: LiteralString = """
    insert into equities.prices (asset_id, date, open, high, low, close, adjusted_close, volume)
    select a, %(day)s::date + 1, 10, 11, 9, 10, 10, 1000 from generate_series(1, %(assets)s) as a
    on conflict (asset_id, date) do update set close = excluded.close
"""


@dataclass(slots=True)
class Times:
    """Seconds of each operation, and the load's rows per second, after each year."""

    rows: list[int] = field(default_factory=list)
    load: list[float] = field(default_factory=list)
    asset: list[float] = field(default_factory=list)
    day: list[float] = field(default_factory=list)
    update: list[float] = field(default_factory=list)
    pages: dict[str, list[int]] = field(default_factory=dict)
    """Pages touched by each of the three, after each year."""


def run(server: Settings, *, assets: int = 21_817, years: int = 4) -> Iterator[Figure]:
    """Load years of listings' bars, and time the operations after each."""
    with (
        system.own_database(server, "big") as settings,
        connect(settings, "bench") as connection,
    ):
        times = Times()
        for year in range(2015, 2015 + years):
            _load_year(connection, times, assets, year)
            _time(connection, times, assets, year)
        yield from _figures(times)


def _load_year(connection: Connection[Any], times: Times, assets: int, year: int) -> None:
    started = time.perf_counter()
    with connection.transaction():
        for first in range(1, assets + 1, BLOCK):
            ids = np.arange(first, min(first + BLOCK, assets + 1))
            copy_block(connection, "equities.prices", _bars(ids, year), TYPES)
    rows = assets * SESSIONS
    times.load.append(rows / (time.perf_counter() - started))
    times.rows.append(rows + (times.rows[-1] if times.rows else 0))
    # Also removes rolled-back rows from the indexes, which vacuum would skip with few dead rows.
    connection.execute("vacuum (analyze, index_cleanup on) equities.prices")
    connection.execute("checkpoint")


def _bars(ids: npt.NDArray[np.int64], year: int) -> dict[str, npt.NDArray[Any]]:
    """Return a year of bars for each listing, listing by listing."""
    count = len(ids) * SESSIONS
    close = 100 * np.exp(np.random.default_rng(year).normal(0, 0.02, count).cumsum() % 1)
    days = _days(year)
    return {
        "asset_id": np.repeat(ids, SESSIONS),
        "date": np.tile(days, len(ids)),
        "open": close,
        "high": close * 1.01,
        "low": close * 0.99,
        "close": close,
        "adjusted_close": close,
        "volume": np.full(count, 1000),
    }


def _days(year: int) -> npt.NDArray[np.datetime64]:
    days: npt.NDArray[np.datetime64] = np.datetime64(f"{year}-01-01", "D") + (
        np.arange(SESSIONS) * 365 // SESSIONS
    )
    return days


def _time(connection: Connection[Any], times: Times, assets: int, year: int) -> None:
    day = str(_days(year)[-1])
    some = np.random.default_rng(1).integers(1, assets + 1, 200).tolist()
    each = [
        _seconds(partial(_fetch, connection, ONE_ASSET, {"asset": x, "day": day})) for x in some
    ]
    times.asset.append(statistics.median(each))
    one_day = [_seconds(partial(_fetch, connection, ONE_DAY, {"day": day})) for _ in range(5)]
    times.day.append(statistics.median(one_day))
    updates = []
    arguments = {"day": day, "assets": assets}
    for _ in range(3):
        with connection.transaction(force_rollback=True):
            updates.append(_seconds(lambda: connection.execute(NEXT_DAY, arguments)))
    times.update.append(statistics.median(updates))
    for name, query, given in (
        ("asset", ONE_ASSET, {"asset": some[0], "day": day}),
        ("day", ONE_DAY, {"day": day}),
        ("update", NEXT_DAY, arguments),
    ):
        times.pages.setdefault(name, []).append(_pages_read(connection, query, given))


def _pages_read(
    connection: Connection[Any], query: LiteralString, arguments: dict[str, Any]
) -> int:
    """Return the number of pages that a statement touches; its writes are rolled back."""
    with connection.transaction(force_rollback=True):
        explained = connection.execute(
            "explain (analyze, buffers, format json) " + query, arguments
        ).fetchone()
    assert explained is not None
    (plan,) = explained["QUERY PLAN"]
    return int(plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"])


def _fetch(connection: Connection[Any], query: LiteralString, arguments: dict[str, Any]) -> None:
    connection.execute(query, arguments).fetchall()


def _seconds(what: Callable[[], object]) -> float:
    started = time.perf_counter()
    what()
    return time.perf_counter() - started


def _figures(times: Times) -> Iterator[Figure]:
    sides = (
        ("load, seconds a row", [1 / x for x in times.load], None),
        ("a year of one listing", times.asset, "asset"),
        ("all closes of a day", times.day, "day"),
        ("one more day of all listings", times.update, "update"),
    )
    for name, seconds, key in sides:
        what = f"{name}, {times.rows[-1]:,} bars against {times.rows[0]:,}"
        shown = ", ".join(_shown(x) for x in seconds)
        yield Figure(
            f"big tables: time of {what}",
            seconds[-1] / seconds[0],
            detail=f"{shown}; extrapolated, not measured: {_shown(_at(times.rows, seconds))}"
            f" at {FAR:,}",
        )
        if key is not None:
            pages = times.pages[key]
            yield Figure(
                f"big tables: pages of {what}",
                pages[-1] / pages[0],
                at_most=MAX_GROWTH,
                detail=", ".join(f"{x:,}" for x in pages),
            )


def _shown(seconds: float) -> str:
    return f"{1 / seconds:,.0f} rows/s" if seconds < 5e-5 else f"{1000 * seconds:.2f} ms"


def _at(rows: list[int], seconds: list[float]) -> float:
    """Extrapolate the measurements linearly to 100 million rows."""
    if len(rows) < 2:
        return seconds[-1]
    slope, start = np.polyfit(rows, seconds, 1)
    return float(max(min(seconds), start + slope * FAR))
