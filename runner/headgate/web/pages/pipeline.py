"""A pipeline: its graph, coloured by its latest run, its steps and its runs."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from psycopg import Connection
from psycopg.rows import DictRow

from headgate.reports import EXECUTIONS, check_pipeline, steps_of
from headgate.web.graph import draw
from headgate.web.page import Page

PIPELINE = "select * from headgate.v_pipelines as p where p.pipeline = %(pipeline)s"
STEPS = "select * from headgate.v_pipeline_steps as s where s.pipeline = %(pipeline)s"
RUNS = 25


def load(connection: Connection[DictRow], request: web.Request) -> dict[str, Any]:
    """Return the pipeline. Raises UnknownPipeline."""
    pipeline = request.match_info["pipeline"]
    check_pipeline(connection, pipeline)
    names = {"pipeline": pipeline, "run_id": None, "limit": RUNS}
    steps = connection.execute(STEPS, names).fetchall()
    runs = connection.execute(EXECUTIONS, names).fetchall()
    latest = {x["step"]: x["status"] for x in steps_of(connection, runs[0])} if runs else {}
    return {
        "pipeline": connection.execute(PIPELINE, names).fetchone() or names,
        "steps": [{**x, "status": latest.get(x["step"])} for x in steps],
        "runs": runs,
        "graph": draw({x["step"]: x["depends_on"] for x in steps}, latest),
    }


PAGE = Page("/pipelines/{pipeline}", "pipeline.html", load)
