"""When the steps of a run ran, as parts of its whole time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

Row = Mapping[str, Any]
NARROWEST = 0.4
"""Percent: a step that took no time is still seen."""


def bars_of(run: Row, steps: Iterable[Row]) -> list[dict[str, Any]]:
    """Return the steps, each with the left end and the width of its bar in percent."""
    return [{"step": step, **_bar(run, step)} for step in steps]


def _bar(run: Row, step: Row) -> dict[str, Any]:
    start, whole = run["started_at"], max(run["duration"].total_seconds(), 0.001)
    began = step["started_at"]
    if began is None:
        return {"left": 0.0, "width": 0.0, "seconds": None}
    end = step["finished_at"] or start + run["duration"]
    seconds = (end - began).total_seconds()
    left = min(100.0 - NARROWEST, 100 * (began - start).total_seconds() / whole)
    width = max(NARROWEST, min(100 - left, 100 * seconds / whole))
    return {"left": left, "width": width, "seconds": timedelta(seconds=seconds)}
