"""DAG of mistakes: each task makes one, and the last line of its log must name it."""

from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import DAG

from headgate.airflow import CallFunction, RunStep

START = "headgate.start_execution"
MISTAKES: dict[str, dict[str, Any]] = {
    "unknown_connection": {"conn_id": "elsewhere"},
    "wrong_password": {"conn_id": "wrong_password"},
    "no_rights": {"conn_id": "reader"},
    "server_away": {"conn_id": "nowhere"},
    "wrong_type": {"args": {"p_pipeline": "typed", "p_params": {"mode": 5}}},
    "paused": {"args": {"p_pipeline": "resting"}},
    "running_already": {"args": {"p_pipeline": "busy"}},
}

with DAG(dag_id="bad_input", schedule=None, start_date=datetime(2026, 1, 1), catchup=False):
    for name, mistake in MISTAKES.items():
        CallFunction(task_id=name, function=START, max_wait=timedelta(0), retries=0, **mistake)
    RunStep(task_id="step_of_nothing")
    RunStep(task_id="step_without_connection", conn_id="elsewhere")
