"""A run: its timeline, what it waits for, what failed and why, what its steps returned."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web
from psycopg import Connection
from psycopg.rows import DictRow

from headgate.reports import bars_of, facts_of, quota_of, reasons_of, run_of
from headgate.web.graph import draw
from headgate.web.page import Page

ARTIFACTS = """
select * from headgate.v_artifacts as a
where a.pipeline = %(pipeline)s and a.run_id = %(run_id)s
limit %(limit)s
"""
OUTPUTS = """
select * from headgate.v_step_outputs as s
where s.pipeline = %(pipeline)s and s.run_id = %(run_id)s
"""
MAX_ARTIFACTS = 50
LONGEST_LINE = 110
LONGEST_OUTPUT = 4_000
"""Characters shown of what a step returned."""


def load(connection: Connection[DictRow], request: web.Request) -> dict[str, Any]:
    """Return the run. Raises UnknownPipeline and UnknownExecution."""
    run = run_of(connection, request.match_info["pipeline"], request.match_info["run_id"])
    facts = facts_of(connection, run)
    steps = facts["steps"]
    return {
        "run": run,
        **facts,
        "bars": bars_of(run, steps),
        "graph": draw(
            {x["step"]: x["depends_on"] for x in steps}, {x["step"]: x["status"] for x in steps}
        ),
        **reasons_of(connection, run),
        "quota": quota_of(connection, run),
        "outputs": [_as_text(x) for x in connection.execute(OUTPUTS, run)],
        "artifacts": connection.execute(ARTIFACTS, {**run, "limit": MAX_ARTIFACTS}).fetchall(),
        "max_artifacts": MAX_ARTIFACTS,
    }


def _as_text(row: DictRow) -> dict[str, Any]:
    """Return a step's output: its beginning on one line, and indented, cut where it is long."""
    line = json.dumps(row["output"], ensure_ascii=False)
    text = json.dumps(row["output"], indent=2, ensure_ascii=False)
    return {
        "step": row["step"],
        "line": _cut(line, LONGEST_LINE),
        "text": _cut(text, LONGEST_OUTPUT),
    }


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}…"


PAGE = Page("/runs/{pipeline}/{run_id:.+}", "run.html", load)
