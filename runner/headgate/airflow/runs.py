"""Runs and steps that a person ends in Airflow end in Postgres too.

The states of runs and tasks are read through the Execution API, which tasks and triggers may use.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from airflow.sdk.exceptions import AirflowRuntimeError
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

from headgate.airflow.calls import Row, Scheduler, select

if TYPE_CHECKING:
    from psycopg import Connection

ALIVE: Final = "alive"
MARKS: Final = {
    "success": "succeeded",
    "failed": "failed",
    "upstream_failed": "failed",
    "skipped": "skipped",
    "removed": "skipped",
}
"""Status of a step by the state in which a person ended its task; a cleared task has none."""


def state_of_run(dag_id: str, run_id: str) -> str:
    """Return a run's state in Airflow: alive, success, failed or gone (deleted)."""

    def has(*states: str) -> bool:
        counted = RuntimeTaskInstance.get_dr_count(dag_id, run_ids=[run_id], states=list(states))
        return bool(counted)

    if has("queued", "running"):
        return ALIVE
    return next((x for x in ("success", "failed") if has(x)), "gone")


def mark_of_task(dag_id: str, run_id: str, task_id: str) -> str | None:
    """Return the step's status for a task that a person ended in a live run; None if cleared."""
    found = RuntimeTaskInstance.get_task_states(dag_id, run_ids=[run_id], task_ids=[task_id])
    return MARKS.get(found.get(run_id, {}).get(task_id))


def end_by_hand(dag_id: str, run_id: str, task_id: str, step: Row) -> tuple[str, Row] | None:
    """Return the function and arguments that end in Postgres what a person ended in Airflow.

    That is the run or the task's step; None if the task was cleared, and so continues.
    """
    state = state_of_run(dag_id, run_id)
    if state != ALIVE:
        run = {name: step[name] for name in ("p_pipeline", "p_run_id")}
        return "headgate.end_run", run | {"p_state": state}
    mark = mark_of_task(dag_id, run_id, task_id)
    return ("headgate.mark_step", step | {"p_status": mark}) if mark else None


def tasks_in(state: str, dag_id: str, run_id: str, task_ids: list[str]) -> list[str]:
    """Return the run's tasks in this state; a mapped task counts if one of its instances does."""
    found = RuntimeTaskInstance.get_task_states(dag_id, run_ids=[run_id], task_ids=task_ids)
    there = {x for x, its in found.get(run_id, {}).items() if its == state}
    return sorted({x if x in task_ids else x.rpartition("_")[0] for x in there})


def abandoned_here(connection: Connection[Row], scheduler: Scheduler, log: logging.Logger) -> None:
    """End this deployment's open executions whose runs have ended or were deleted in Airflow."""
    runs = select(connection, "headgate.open_runs", scheduler.named())
    dags = {x["run_id"]: x["dag"] for x in runs}
    end_abandoned(
        connection, runs, lambda run: state_of_run(dags[run], scheduler.run_there(run)), log
    )


def end_abandoned(
    connection: Connection[Row],
    runs: list[Row],
    state_of: Callable[[str], str],
    log: logging.Logger,
) -> None:
    """End the open executions whose runs have ended or were deleted, each in its own commit."""
    for run in runs:
        try:
            state = state_of(run["run_id"])
        except AirflowRuntimeError as exc:
            log.warning("Airflow does not say how run %s stands: %s", run["run_id"], exc)
            continue
        if state == ALIVE:
            continue
        named = {"p_pipeline": run["pipeline"], "p_run_id": run["run_id"], "p_state": state}
        for row in select(connection, "headgate.end_run", named):
            log.warning(
                "run %s of %s is %s in Airflow: its execution is %s now, %s jobs cancelled",
                *(run["run_id"], run["pipeline"], state, row["status"], row["cancelled"]),
            )
        connection.commit()
