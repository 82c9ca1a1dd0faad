"""`headgate run`, `retry` and `rerun`: start or reopen a run, and work it off to its end."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from psycopg import Connection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from headgate.cli.commands import console
from headgate.cli.commands.carry import carry, conclude, require_worker
from headgate.cli.commands.options import (
    AsJson,
    OfPipeline,
    Params,
    Pipeline,
    RunId,
    Step,
    parse_params,
)
from headgate.cli.commands.status import find_run
from headgate.cli.commands.worker import Concurrency
from headgate.database import PLANNER, mapped_errors
from headgate.errors import InvalidValue, PlanAlreadyRunning
from headgate.reports import ENDED, EXECUTIONS
from headgate.settings import Settings

CHECK = """
select headgate.check_run(p_pipeline => %(pipeline)s, p_params => %(params)s)
"""
START = """
select r.run_id from headgate.run_pipeline(p_pipeline => %(pipeline)s, p_params => %(params)s) as r
"""
RETRY = """
select * from headgate.retry_failed(p_pipeline => %(pipeline)s, p_run_id => %(run_id)s,
    p_step => %(step)s)
"""

RERUN = """
select * from headgate.rerun_step(p_pipeline => %(pipeline)s, p_run_id => %(run_id)s,
    p_step => %(step)s)
"""

Workers = Annotated[
    int, typer.Option(min=0, max=64, help="Worker processes; 0: those that run elsewhere.")
]


def run(
    pipeline: Pipeline,
    param: Params = None,
    workers: Workers = 1,
    concurrency: Concurrency = 50,
    as_json: AsJson = False,
) -> None:
    """Run a pipeline to its end, or continue a run that an interrupted command left behind."""
    settings, run_id = begin(pipeline, param, workers)
    carry(settings, pipeline, run_id, workers, concurrency, as_json)


def begin(pipeline: str, param: list[str] | None, workers: int) -> tuple[Settings, str]:
    """Start a run, or find the one that was left behind; return its name."""
    settings = console.ready_settings()
    params = parse_params(param)
    with console.open_database(settings, "run", role=PLANNER) as connection, mapped_errors():
        connection.execute(CHECK, {"pipeline": pipeline, "params": Jsonb(params)})
        if workers:
            require_worker(connection, settings, pipeline)
        return settings, _start(connection, pipeline, params)


def retry(
    run_id: RunId,
    pipeline: OfPipeline = None,
    step: Annotated[str | None, typer.Option(help="Only of this step.", show_default=False)] = None,
    workers: Workers = 1,
    concurrency: Concurrency = 50,
    as_json: AsJson = False,
) -> None:
    """Retry the failed, deferred and cancelled jobs of a run, and work the run off to its end."""
    settings = console.ready_settings()
    with console.open_database(settings, "run", role=PLANNER) as connection, mapped_errors():
        row = find_run(connection, settings, pipeline, run_id)
        pipeline = str(row["pipeline"])
        if row["driver"] != "headgate":
            raise InvalidValue(
                f"{run_id} is carried by Airflow",
                hint="clear its tasks there, or call headgate.retry_failed in psql",
            )
        if workers:
            require_worker(connection, settings, pipeline)
        names = {"pipeline": pipeline, "run_id": run_id, "step": step}
        opened = connection.execute(RETRY, names).fetchone() or {"planned": 0}
        row = find_run(connection, settings, pipeline, run_id)
    if row["status"] in ENDED:
        console.say("nothing can be retried now")
        conclude(settings, pipeline, run_id, as_json)
    else:
        console.say(f"{run_id} goes on with {console.counted(opened['planned'], 'job')}")
        carry(settings, pipeline, run_id, workers, concurrency, as_json)


def rerun(
    run_id: RunId,
    step: Step,
    pipeline: OfPipeline = None,
    workers: Workers = 1,
    concurrency: Concurrency = 50,
    as_json: AsJson = False,
) -> None:
    """Run a step of a run and all steps behind it again, even succeeded ones, to the run's end."""
    settings = console.ready_settings()
    with console.open_database(settings, "run", role=PLANNER) as connection, mapped_errors():
        row = find_run(connection, settings, pipeline, run_id)
        pipeline = str(row["pipeline"])
        if workers:
            require_worker(connection, settings, pipeline)
        names = {"pipeline": pipeline, "run_id": run_id, "step": step}
        opened = connection.execute(RERUN, names).fetchone() or {"reopened": 0}
    console.say(f"{run_id} goes on with {console.counted(opened['reopened'], 'step')}")
    carry(settings, pipeline, run_id, workers, concurrency, as_json)


def _start(connection: Connection[DictRow], pipeline: str, params: dict[str, Any]) -> str:
    try:
        with mapped_errors():
            arguments = {"pipeline": pipeline, "params": Jsonb(params)}
            row = connection.execute(START, arguments).fetchone()
    except PlanAlreadyRunning:
        found = None if params else _left_behind(connection, pipeline)
        if found is None:
            raise
        console.say(f"continuing {found}, which was left running")
        return found
    run_id = str(row["run_id"]) if row else ""
    console.say(f"started {pipeline} {run_id}")
    return run_id


def _left_behind(connection: Connection[DictRow], pipeline: str) -> str | None:
    """Return the running run that Headgate's runners drive, if any; not one that Airflow drives."""
    rows = connection.execute(EXECUTIONS, {"pipeline": pipeline, "run_id": None, "limit": 100})
    return next(
        (x["run_id"] for x in rows if x["status"] == "running" and x["driver"] == "headgate"), None
    )
