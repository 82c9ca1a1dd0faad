"""What a person ends in Airflow ends in Postgres, too: runs marked or deleted, steps marked.

Airflow is asked for its runs through the Execution API, as tasks and triggers may.
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
"""How a person may have ended a task, and what that says of its step; not so a cleared one."""


def state_of_run(dag_id: str, run_id: str) -> str:
    """Return what Airflow says of a run: alive, success, failed or gone."""

    def has(*states: str) -> bool:
        counted = RuntimeTaskInstance.get_dr_count(dag_id, run_ids=[run_id], states=list(states))
        return bool(counted)

    if has("queued", "running"):
        return ALIVE
    return next((x for x in ("success", "failed") if has(x)), "gone")


def mark_of_task(dag_id: str, run_id: str, task_id: str) -> str | None:
    """Return how a person has ended a task of a run that goes on; None: he has cleared it."""
    found = RuntimeTaskInstance.get_task_states(dag_id, run_ids=[run_id], task_ids=[task_id])
    return MARKS.get(found.get(run_id, {}).get(task_id))


def tasks_in(state: str, dag_id: str, run_id: str, task_ids: list[str]) -> list[str]:
    """Return those of a run's tasks that are in this state, a mapped one if one of its is."""
    found = RuntimeTaskInstance.get_task_states(dag_id, run_ids=[run_id], task_ids=task_ids)
    there = {x for x, its in found.get(run_id, {}).items() if its == state}
    return sorted({x if x in task_ids else x.rpartition("_")[0] for x in there})


def abandoned_here(connection: Connection[Row], scheduler: Scheduler, log: logging.Logger) -> None:
    """End the executions of this Airflow whose runs have ended, or are gone."""
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
    """End those of the open executions whose runs have ended, or are gone, each in a commit."""
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
