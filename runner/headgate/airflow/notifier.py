"""Notifier that reports the end of a DAG's run to Headgate.

A failed or late run raises an alert, which lasts until a run succeeds. A DAG's callbacks run in
Airflow's DAG processor, those of a missed deadline in its triggerer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import BaseNotifier
from airflow.sdk.exceptions import AirflowRuntimeError
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

from headgate.airflow.calls import Row, aconnect, aselect, connect, select
from headgate.airflow.triggers import CONN_ID

if TYPE_CHECKING:
    from airflow.sdk import Context

FUNCTION: Final = "headgate.alert_run"


class AlertNotifier(BaseNotifier):
    """Raise or resolve a DAG's alert; `state` of its run is success, failed or late."""

    def __init__(
        self, conn_id: str = CONN_ID, state: str = "failed", context: Context | None = None
    ) -> None:
        super().__init__(context=context)
        self.conn_id = conn_id
        self.state = state

    def render_template_fields(self, context: Any, jinja_env: Any = None) -> None:
        """Do nothing: no field is a template, and dag.test() cannot render any."""

    def notify(self, context: Context) -> None:
        """Report the run from the DAG processor, with the names of its failed tasks."""
        dag_id, run_id = _named(context)
        tasks = _failed_tasks(dag_id, run_id) if self.state == "failed" else []
        with connect(self.conn_id) as connection:
            select(connection, FUNCTION, self._arguments(dag_id, run_id, tasks))

    async def async_notify(self, context: Context) -> None:
        """Report the run from the triggerer."""
        async with await aconnect(self.conn_id) as connection:
            await aselect(connection, FUNCTION, self._arguments(*_named(context), []))

    def _arguments(self, dag_id: str, run_id: str, tasks: list[str]) -> Row:
        return {"p_dag": dag_id, "p_run_id": run_id, "p_state": self.state, "p_tasks": tasks}


def _named(context: Any) -> tuple[str, str]:
    """Return the DAG id and run id; Airflow's contexts differ in where they hold them."""
    run = context.get("dag_run") or {}
    if not isinstance(run, dict):
        return run.dag_id, run.run_id
    if run:
        return run["dag_id"], run.get("run_id") or run["dag_run_id"]
    return context["dag"].dag_id, context["run_id"]


def _failed_tasks(dag_id: str, run_id: str) -> list[str]:
    """Return the run's failed tasks; [] if Airflow cannot be asked."""
    try:
        states = RuntimeTaskInstance.get_task_states(dag_id, run_ids=[run_id])
    except AirflowRuntimeError:
        return []
    return sorted(x for x, state in states.get(run_id, {}).items() if state == "failed")
