"""Templates of pages and reports: how values are written, and the pieces that both share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

SHARED = "headgate.reports"


def environment(package: str = SHARED) -> Environment:
    """Return the templates of a package, and behind them the shared ones."""
    made = Environment(
        loader=ChoiceLoader(
            [PackageLoader(x, "templates") for x in dict.fromkeys((package, SHARED))]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        begun=begun, duration=duration, figure=figure, moment=moment, number=number, time=time
    )
    return made


def begun(value: Any) -> str:
    """Return a text that begins as a sentence does."""
    text = str(value)
    return text[:1].upper() + text[1:]


def number(value: Any) -> str:
    """Return a number with separators; a fraction with one decimal."""
    match value:
        case None:
            return ""
        case Decimal() if value == value.to_integral_value():
            return f"{int(value):,}"
        case int():
            return f"{value:,}"
        case _:
            return f"{value:,.1f}"


def figure(value: Decimal | None) -> str:
    """Return a measured value, with at most four decimals."""
    return "" if value is None else f"{value:,.4f}".rstrip("0").rstrip(".")


def duration(value: timedelta | None) -> str:
    """Return a time span: seconds with one decimal below a minute, else hours, minutes, seconds."""
    if value is None:
        return ""
    seconds = value.total_seconds()
    if seconds < 60:
        return f"{seconds:.1f} s"
    return str(timedelta(seconds=round(seconds)))


def time(value: datetime | None) -> str:
    """Return a moment with its time zone."""
    return "" if value is None else f"{value:%Y-%m-%d %H:%M:%S %Z}".strip()


def moment(value: datetime | None) -> Markup:
    """Return an element with a moment in UTC; the text leaves the date out if that is today."""
    if value is None:
        return Markup()
    here = value.astimezone(UTC)
    is_today = here.date() == datetime.now(UTC).date()
    text = f"{here:%H:%M:%S}" if is_today else f"{here:%Y-%m-%d %H:%M}"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        here.isoformat(), time(here), text
    )
