"""Tells Headgate how a DAG's run has ended: a failed or late one is an alert until one succeeds.

A DAG's callbacks run in Airflow's DAG processor, a missed deadline's in its triggerer.
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
    """Raise or resolve the alert of a DAG: its run is success, failed or late."""

    def __init__(
        self, conn_id: str = CONN_ID, state: str = "failed", context: Context | None = None
    ) -> None:
        super().__init__(context=context)
        self.conn_id = conn_id
        self.state = state

    def render_template_fields(self, context: Any, jinja_env: Any = None) -> None:
        """Leave all as it is: nothing is a template, and a DAG of dag.test() renders none."""

    def notify(self, context: Context) -> None:
        """Tell it from the DAG processor, with the names of the tasks that have failed."""
        dag_id, run_id = _named(context)
        tasks = _failed_tasks(dag_id, run_id) if self.state == "failed" else []
        with connect(self.conn_id) as connection:
            select(connection, FUNCTION, self._arguments(dag_id, run_id, tasks))

    async def async_notify(self, context: Context) -> None:
        """Tell it from the triggerer."""
        async with await aconnect(self.conn_id) as connection:
            await aselect(connection, FUNCTION, self._arguments(*_named(context), []))

    def _arguments(self, dag_id: str, run_id: str, tasks: list[str]) -> Row:
        return {"p_dag": dag_id, "p_run_id": run_id, "p_state": self.state, "p_tasks": tasks}


def _named(context: Any) -> tuple[str, str]:
    """Return the run's DAG and name, as each of Airflow's contexts has them."""
    run = context.get("dag_run") or {}
    if not isinstance(run, dict):
        return run.dag_id, run.run_id
    if run:
        return run["dag_id"], run.get("run_id") or run["dag_run_id"]
    return context["dag"].dag_id, context["run_id"]


def _failed_tasks(dag_id: str, run_id: str) -> list[str]:
    """Return the tasks that have failed; [] where Airflow does not say."""
    try:
        states = RuntimeTaskInstance.get_task_states(dag_id, run_ids=[run_id])
    except AirflowRuntimeError:
        return []
    return sorted(x for x, state in states.get(run_id, {}).items() if state == "failed")
