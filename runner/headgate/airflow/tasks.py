"""A run's tasks in Airflow and the steps they stand for: what people have made of them there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import BaseOperator
from airflow.sdk.definitions.mappedoperator import MappedOperator

from headgate.airflow.calls import OPEN, Row, select, statuses_of
from headgate.airflow.runs import MARKS, tasks_in

if TYPE_CHECKING:
    from airflow.sdk import DAG
    from psycopg import Connection

FAILED_STEPS: Final = "headgate.failed_steps"
MARK: Final = "headgate.mark_step"
LONGEST_STEP: Final = timedelta(hours=24)
UNHEARD: Final = {"success": OPEN, "skipped": ("running",)}
"""States that a person may have given a task, and the statuses in which its step lacks them.

A pending step becomes skipped with its run.
"""


class PlanOperator(BaseOperator):
    """An operator whose tasks stand for steps of a plan."""


@dataclass(frozen=True)
class OurTask:
    """A task of a PlanOperator, mapped or not, as declared in its DAG."""

    task_id: str
    pipeline: str | None
    step: str | None
    """None: known only when the task runs."""

    @classmethod
    def of(cls, task: Any) -> OurTask | None:
        """Return a DAG's task as OurTask; None if it is of another operator."""
        is_mapped = isinstance(task, MappedOperator)
        if not issubclass(task.operator_class if is_mapped else type(task), PlanOperator):
            return None
        if not is_mapped:
            step = task.step if "{" not in task.step else None
            return cls(task.task_id, getattr(task, "_declared", task.pipeline), step)
        given = task.partial_kwargs
        return cls(task.task_id, given.get("pipeline"), given.get("step"))

    def is_among(self, failed: set[str]) -> bool:
        """Return whether the task's step has failed; an unknown step counts if any has failed."""
        return bool(failed) if self.step is None else self.step in failed


@dataclass(frozen=True)
class RunTasks:
    """The tasks of one run that stand for steps of one pipeline."""

    dag: DAG | None
    """None: a task without a DAG has no others beside it."""
    run: Any
    pipeline: str | None
    """As the tasks declare it."""

    def in_state(self, state: str) -> dict[str, OurTask]:
        """Return the tasks that are in this state in Airflow, by their names."""
        tasks = [OurTask.of(x) for x in self.dag.tasks] if self.dag else []
        ours = {x.task_id: x for x in tasks if x and x.pipeline == self.pipeline}
        found = tasks_in(state, self.run.dag_id, self.run.run_id, list(ours)) if ours else []
        return {x: ours[x] for x in found}


def settle_steps(
    connection: Connection[Row], tasks: RunTasks, own: OurTask, named: Row
) -> list[str]:
    """Give the run's steps the states that its tasks have in Airflow, before the run ends.

    Steps are marked as failed whose tasks failed, for example marked by a person before they ran.
    If such a step has succeeded nevertheless, the later steps that did not run are marked
    instead. If there are none, or the plan has no such step, the step of `own`, the task that ends
    the run, is marked as failed, until that task runs again and no other task is failed. Returns
    the tasks that caused the latter.
    """
    red = tasks.in_state("failed")
    _hear_marks(connection, tasks, own, named)
    if not red:
        if own.step in _failed_steps(connection, named):
            select(connection, MARK, {**named, "p_step": own.step, "p_status": "succeeded"})
        return []
    _mark_failed(connection, red.values(), named)
    failed = _failed_steps(connection, named)
    if not failed:
        _mark_failed(connection, tasks.in_state("upstream_failed").values(), named)
    lost = [x for x, task in red.items() if not task.is_among(failed)]
    if not lost or failed != _failed_steps(connection, named):
        return []
    _mark_failed(connection, [own], named)
    return lost


def _hear_marks(connection: Connection[Row], tasks: RunTasks, own: OurTask, named: Row) -> None:
    """Mark steps with the state that a person gave their tasks and that no trigger applied.

    Such a task awaits a retry, or its turn has not come, or its trigger has not stopped yet.
    """
    failed, statuses = _failed_steps(connection, named), statuses_of(connection, named)
    for state, unheard in UNHEARD.items():
        steps = failed | {x for x, status in statuses.items() if status in unheard}
        steps -= {own.step}
        for task in tasks.in_state(state).values() if steps else ():
            if task.step in steps:
                said = {**named, "p_step": task.step, "p_status": MARKS[state]}
                select(connection, MARK, said)
                connection.commit()


def _failed_steps(connection: Connection[Row], named: Row) -> set[str]:
    return {x["step"] for x in select(connection, FAILED_STEPS, named)}


def _mark_failed(connection: Connection[Row], tasks: Iterable[OurTask], named: Row) -> None:
    """Mark the steps of these tasks as failed unless they have ended."""
    statuses = statuses_of(connection, named)
    for step in (x.step for x in tasks if x.step and statuses.get(x.step) in OPEN):
        select(connection, MARK, {**named, "p_step": step, "p_status": "failed"})
        connection.commit()
