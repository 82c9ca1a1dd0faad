"""Pages of a long list: each begins before a moment, which is read from an index."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web
from psycopg.rows import DictRow

from headgate.errors import InvalidValue

ROWS: Final = 50
"""Rows of a page; those of the last one's moment come on top."""


def moment_of(request: web.Request) -> datetime | None:
    """Return the moment before which the page begins. Raises InvalidValue."""
    text = request.query.get("before")
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        raise InvalidValue(
            f"before: {text[:100]!r} is not a time", hint="e.g. 2026-01-31T21:30:00Z"
        ) from exc
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def page_of(rows: Sequence[DictRow], moment: str) -> dict[str, Any]:
    """Return the rows, and the moment before which the next page begins, if there may be one."""
    return {"rows": rows, "older": rows[-1][moment].isoformat() if len(rows) >= ROWS else None}
