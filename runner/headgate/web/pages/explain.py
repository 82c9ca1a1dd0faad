"""EXPLAIN of the next run, with what-if fields: the planner answers, and nothing is changed."""

from __future__ import annotations

from typing import Any, Final, LiteralString

from aiohttp import web
from psycopg import Connection
from psycopg.rows import DictRow

from headgate import explained
from headgate.web.page import Page
from headgate.web.what_if import AT, QUOTA, question_of

MOMENT: LiteralString = "select coalesce(%(at)s::timestamptz, headgate.clock()) as at"
PAIRS: Final = 50
"""Pairs shown on request: they are another evaluation of the plan."""


def load(connection: Connection[DictRow], request: web.Request) -> dict[str, Any]:
    """Return the form, and the planner's answer or what is wrong with the question."""
    question = question_of(connection, request, AT, QUOTA)
    wants_pairs = "pairs" in request.query
    queries = [MOMENT, explained.TOTALS, explained.QUOTA, explained.STEPS]
    if wants_pairs:
        queries.append(explained.PAIRS)
    rows = question.ask(connection, *queries, rows=PAIRS) if question.pipeline else None
    return {
        "question": question,
        "answer": rows and _answer(*rows),
        "wants_pairs": wants_pairs,
        "query": request.query_string + "&" if request.query_string else "",
    }


def _answer(
    moment: list[DictRow],
    totals: list[DictRow],
    budgets: list[DictRow],
    steps: list[DictRow],
    pairs: list[DictRow] | None = None,
) -> dict[str, Any]:
    return {
        "at": moment[0]["at"],
        "totals": explained.by_decision(totals),
        "quota": explained.after_the_run(budgets, totals),
        "reasons": explained.by_reason(totals),
        "groups": explained.by_group(totals),
        "counted_at": totals[0]["counted_at"] if totals else None,
        "steps": steps,
        "pairs": pairs,
    }


PAGE = Page("/explain", "explain.html", load, menu="Explain")
