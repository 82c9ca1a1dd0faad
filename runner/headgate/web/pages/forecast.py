"""The forecast: what a run on each of the next days would do, as a chart and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, LiteralString

from aiohttp import web
from psycopg import Connection
from psycopg.rows import DictRow

from headgate import explained
from headgate.web.page import Page
from headgate.web.what_if import DAYS, QUOTA, question_of

WIDTH: Final = 720
HEIGHT: Final = 150
CHARTS: Final = {"units": "Units a day", "backlog": "Backlog in the evening"}
GAP: Final = 0.15
"""The part of a bar's place that stays empty."""
UNTIL_THE_END: LiteralString = """
select least(31, greatest(7, ceil(extract(epoch from w.time_left) / 86400)))::text as days
from (
    select max(q.closes_at) - headgate.clock() as time_left
    from headgate.explain_quota(p_pipeline => %(pipeline)s) as q
) as w
"""
"""Days until the last quota window of its providers ends: a week at least, a month at most."""


def load(connection: Connection[DictRow], request: web.Request) -> dict[str, Any]:
    """Return the form, and the planner's series or what is wrong with the question."""
    question = question_of(connection, request, DAYS, QUOTA)
    if question.pipeline in question.pipelines and "days" not in request.query:
        (until,) = connection.execute(UNTIL_THE_END, {"pipeline": question.pipeline}).fetchall()
        question.fields[0].value = until["days"] or DAYS.value
    queries = (explained.FORECAST, explained.QUOTA, explained.STEPS)
    rows = question.ask(connection, *queries) if question.pipeline else None
    if rows is None:
        return {"question": question, "days": None}
    days, budgets, steps = rows
    return {
        "question": question,
        "days": days,
        "counted_at": days[0]["counted_at"],
        "loaded_on": next((row["day"] for row in days if row["backlog"] == 0), None),
        "charts": [_chart(title, days, column) for column, title in CHARTS.items()],
        "windows": [row for row in budgets if row["units_left"] is not None],
        "steps": steps,
        "width": WIDTH,
        "height": HEIGHT,
    }


def _chart(title: str, days: Sequence[DictRow], column: str) -> dict[str, Any]:
    """Return a chart's bars, one for each day, in its own coordinates."""
    most = max((row[column] for row in days), default=0)
    place = WIDTH / max(1, len(days))
    bars = [
        {
            "x": round(place * (n + GAP / 2), 2),
            "width": round(place * (1 - GAP), 2),
            "height": round(HEIGHT * row[column] / most, 2) if most else 0,
            "day": row["day"],
            "value": row[column],
        }
        for n, row in enumerate(days)
    ]
    return {"title": title, "most": most, "bars": bars, "class": column}


PAGE = Page("/forecast", "forecast.html", load, menu="Forecast")
