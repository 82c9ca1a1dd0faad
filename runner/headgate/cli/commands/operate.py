"""`headgate pause`, `resume`, `cancel`, `skip`, `mark`: operate on pipelines and runs.

Each command calls its stored function once, and prints what has changed and how to continue.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, LiteralString

import typer
from psycopg import Connection
from psycopg.rows import DictRow

from headgate.cli.commands import console
from headgate.cli.commands.options import AsJson, OfPipeline, Pipeline, RunId, Step
from headgate.cli.commands.status import find_run
from headgate.cli.commands.summary import print_next
from headgate.database import PLANNER, mapped_errors
from headgate.errors import ExecutionEnded
from headgate.reports import next_of, program_of, steps_of
from headgate.settings import Settings

PAUSE = "select * from headgate.pause_pipeline(p_pipeline => %(pipeline)s)"
RESUME = "select * from headgate.resume_pipeline(p_pipeline => %(pipeline)s)"
CANCEL = """
select * from headgate.cancel_execution(p_pipeline => %(pipeline)s, p_run_id => %(run_id)s)
"""
QUEUED = """
select q.pipeline from headgate.v_queued_runs as q
where q.run_id = %(run_id)s and coalesce(q.pipeline = %(pipeline)s, true)
"""
SKIP = """
select * from headgate.skip_step(
    p_pipeline => %(pipeline)s, p_run_id => %(run_id)s, p_step => %(step)s,
    p_behind => %(behind)s)
"""
MARK = """
select * from headgate.mark_step(
    p_pipeline => %(pipeline)s, p_run_id => %(run_id)s, p_step => %(step)s, p_status => %(status)s)
"""


class Status(StrEnum):
    """Status that an operator can give to a step."""

    SUCCEEDED = "succeeded"
    SKIPPED = "skipped"
    FAILED = "failed"


def pause(pipeline: Pipeline, as_json: AsJson = False) -> None:
    """Pause a pipeline: nothing new starts until it is resumed; calls in flight finish."""
    settings = console.ready_settings()
    with console.open_database(settings, "pause", role=PLANNER) as connection, mapped_errors():
        changed = _call(connection, PAUSE, {"pipeline": pipeline})
    if as_json:
        console.print_json({"pipeline": pipeline, "is_paused": True, **changed})
        return
    print(f"{pipeline} is paused: {_counts(changed)}")
    print(f"next: to resume it: {program_of(settings)} resume {pipeline}")


def resume(pipeline: Pipeline, as_json: AsJson = False) -> None:
    """Resume a paused pipeline where it stopped."""
    settings = console.ready_settings()
    with console.open_database(settings, "resume", role=PLANNER) as connection, mapped_errors():
        changed = _call(connection, RESUME, {"pipeline": pipeline})
    if as_json:
        console.print_json({"pipeline": pipeline, "is_paused": False, **changed})
        return
    print(f"{pipeline} is resumed: {_counts(changed)}")
    if changed["resumed_executions"]:
        print(f"next: runners carry it on: {program_of(settings)} worker")


def cancel(run_id: RunId, pipeline: OfPipeline = None, as_json: AsJson = False) -> None:
    """Stop a run: cancel what has not started and return its units; calls in flight finish."""
    settings = console.ready_settings()
    with console.open_database(settings, "cancel", role=PLANNER) as connection, mapped_errors():
        if _take_out(connection, pipeline, run_id, as_json):
            return
        run = find_run(connection, settings, pipeline, run_id)
        names = {"pipeline": run["pipeline"], "run_id": run_id}
        changed = _call(connection, CANCEL, names)
        run = find_run(connection, settings, run["pipeline"], run_id)
        if run["status"] != "cancelled":
            raise ExecutionEnded(
                f"run {run_id} of pipeline {run['pipeline']} has ended: {run['status']};"
                " nothing was cancelled",
                hint=f"headgate status {run_id} shows it",
            )
        _conclude(connection, settings, run, {"status": run["status"], **changed}, as_json)


def _take_out(
    connection: Connection[DictRow], pipeline: str | None, run_id: str, as_json: bool
) -> bool:
    """Take a run out of its pipeline's queue; return False if not exactly one has that name."""
    queued = connection.execute(QUEUED, {"run_id": run_id, "pipeline": pipeline}).fetchall()
    if len(queued) != 1:
        return False
    names = {"pipeline": queued[0]["pipeline"], "run_id": run_id}
    changed = _call(connection, CANCEL, names)
    if as_json:
        console.print_json({**names, "status": "taken out of the queue", **changed, "next": []})
    else:
        print(f"{names['pipeline']} {run_id}: taken out of the queue; it had not started")
    return True


def skip(
    run_id: RunId,
    step: Step,
    pipeline: OfPipeline = None,
    behind: Annotated[
        bool, typer.Option("--behind", help="Skip what depends on it, too, unless its rule allows.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Skip a step of a run; steps that depend on it count it as passed."""
    _end_step(run_id, step, pipeline, Status.SKIPPED, SKIP, as_json, behind)


def mark(
    run_id: RunId,
    step: Step,
    status: Annotated[Status, typer.Argument(help="How it has ended.", show_default=False)],
    pipeline: OfPipeline = None,
    as_json: AsJson = False,
) -> None:
    """Set the result of a run's step; what has not started of it is cancelled."""
    _end_step(run_id, step, pipeline, status, MARK, as_json)


def _end_step(
    run_id: str,
    step: str,
    pipeline: str | None,
    status: Status,
    statement: LiteralString,
    as_json: bool,
    behind: bool = False,
) -> None:
    settings = console.ready_settings()
    with console.open_database(settings, "mark", role=PLANNER) as connection, mapped_errors():
        run = find_run(connection, settings, pipeline, run_id)
        names: dict[str, Any] = {"pipeline": run["pipeline"], "run_id": run_id}
        names |= {"step": step, "status": status}
        names["behind"] = behind
        changed = _call(connection, statement, names)
        run = find_run(connection, settings, run["pipeline"], run_id)
        ended = next(x["status"] for x in steps_of(connection, run) if x["step"] == step)
        if ended != status:
            raise ExecutionEnded(
                f"step {step} of run {run_id} has ended: {ended}; it stays so",
                hint="a step that succeeded is not marked otherwise;"
                f" headgate retry {run_id} --step {step} runs what is left of it",
            )
        _conclude(connection, settings, run, {"step": step, "status": status, **changed}, as_json)


def _call(
    connection: Connection[DictRow], statement: LiteralString, names: dict[str, Any]
) -> DictRow:
    row = connection.execute(statement, names).fetchone()
    assert row is not None
    return row


def _conclude(
    connection: Connection[DictRow],
    settings: Settings,
    run: DictRow,
    done: dict[str, Any],
    as_json: bool,
) -> None:
    """Print what was done to a run, and the next actions."""
    actions = next_of(connection, run)
    if as_json:
        named = {"pipeline": run["pipeline"], "run_id": run["run_id"]}
        console.print_json({**named, **done, "next": actions})
        return
    what = f"step {done['step']} ended as" if "step" in done else "the run is"
    counts = {x: y for x, y in done.items() if isinstance(y, int)}
    print(f"{run['pipeline']} {run['run_id']}: {what} {done['status']}; {_counts(counts)}")
    print_next(settings, run, actions)


COUNTED = {
    "cancelled": ("job", "cancelled"),
    "reopened": ("step", "opened again"),
    "paused_executions": ("run", "held"),
    "paused_chunks": ("chunk", "held"),
    "resumed_executions": ("run", "resumed"),
    "sent_chunks": ("chunk", "sent"),
}


def _counts(changed: dict[str, int]) -> str:
    said = []
    for name, count in changed.items():
        noun, participle = COUNTED[name]
        said.append(f"{console.counted(count, noun)} {participle}")
    return ", ".join(said)
