"""Trading sessions of exchange calendars, as rows of the trading calendar.

    python -m headgate.handlers.calendars --from 2012-01-01 --to 2027-06-30 XNYS XLON > sessions.csv

The calendars come from the package exchange-calendars, which depends on pandas. It is imported only
to compute rows, never in a worker's main process.
"""

from __future__ import annotations

import argparse
import csv
import logging
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import UTC, date, datetime, timedelta
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from headgate.errors import HeadgateError, InvalidValue

if TYPE_CHECKING:
    from headgate.handlers.contract import Chunk, Result

BACK: Final = timedelta(days=30)
AHEAD: Final = timedelta(days=540)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Session:
    """One trading session of one calendar; the times are UTC."""

    calendar: str
    session: date
    opens_at: datetime
    closes_at: datetime
    is_early_close: bool

    def as_csv(self) -> tuple[str, ...]:
        """Return the values in the format of the CSV file."""
        cells = []
        for value in astuple(self):
            if isinstance(value, bool):
                cells.append(str(value).lower())
            elif isinstance(value, date):
                cells.append(value.isoformat())
            else:
                cells.append(str(value))
        return tuple(cells)


COLUMNS = tuple(field.name for field in fields(Session))


def sessions(calendars: Iterable[str], start: date, end: date) -> Iterator[Session]:
    """Yield the sessions from `start` to `end`, both included, calendar by calendar."""
    if start > end:
        raise InvalidValue(f"the first day, {start}, is after the last, {end}")
    package = _package()
    for name in calendars:
        calendar = _calendar(package, name, start, end)
        early = set(calendar.early_closes)
        for row in calendar.schedule.itertuples():
            if row.Index.date() <= end:
                yield Session(
                    calendar=name,
                    session=row.Index.date(),
                    opens_at=row.open.to_pydatetime(),
                    closes_at=row.close.to_pydatetime(),
                    is_early_close=row.Index in early,
                )


def extend(chunk: Chunk) -> Result:
    """Return the sessions of each calendar, from a month back to a year and a half ahead.

    This is the handler of the operation `trading_calendars`.
    """
    from headgate.handlers.contract import Result

    start, end = chunk.now.date() - BACK, chunk.now.date() + AHEAD
    rows: dict[str, list[Any]] = {name: [] for name in ("asset_id", *COLUMNS)}
    failed: dict[int, str] = {}
    for asset_id, code in zip(chunk.asset_ids.tolist(), chunk.codes, strict=True):
        try:
            found = [astuple(session) for session in sessions([code], start, end)]
        except InvalidValue as exc:
            failed[asset_id] = str(exc)
            continue
        for row in found:
            for name, value in zip(rows, (asset_id, *row), strict=True):
                is_time = isinstance(value, datetime)
                rows[name].append(value.astimezone(UTC).replace(tzinfo=None) if is_time else value)
    return Result(rows, failed=failed)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the requested sessions to standard output, as CSV with a header."""
    parser = argparse.ArgumentParser(
        prog="python -m headgate.handlers.calendars", description="Trading sessions as CSV."
    )
    parser.add_argument(
        "--from", dest="start", type=date.fromisoformat, required=True, metavar="DATE"
    )
    parser.add_argument("--to", dest="end", type=date.fromisoformat, required=True, metavar="DATE")
    parser.add_argument("calendars", nargs="+", metavar="CALENDAR", help="a code such as XNYS")
    options = parser.parse_args(arguments)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    try:
        writer.writerow(COLUMNS)
        writer.writerows(
            row.as_csv() for row in sessions(options.calendars, options.start, options.end)
        )
    except HeadgateError as exc:
        print(f"{exc}\n{exc.hint}" if exc.hint else str(exc), file=sys.stderr)
        return 1
    return 0


def _package() -> ModuleType:
    """Return the module exchange_calendars. Raises HeadgateError if it is not installed."""
    try:
        import exchange_calendars
    except ModuleNotFoundError as exc:
        raise HeadgateError(
            "trading sessions need the package exchange-calendars, which is not installed",
            hint='Install it: pip install "headgate[demo]"',
        ) from exc
    module: ModuleType = exchange_calendars
    return module


def _calendar(package: ModuleType, name: str, start: date, end: date) -> Any:
    """Return the package's calendar up to 14 days past the end, as it refuses an empty range."""
    beyond = end + timedelta(days=14)
    try:
        with warnings.catch_warnings(action="ignore"):  # pandas warns of the package's code
            return package.get_calendar(name, start=start.isoformat(), end=beyond.isoformat())
    except package.errors.InvalidCalendarName as exc:
        raise InvalidValue(
            f'there is no exchange calendar "{name}"',
            hint="Use a code that exchange_calendars knows, such as XNYS, XLON or XETR.",
        ) from exc


if __name__ == "__main__":
    sys.exit(main())
