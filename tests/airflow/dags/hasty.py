"""DAG of steps with a timeout of one second and two tries, in the triggerer and by a worker."""

from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import DAG

from headgate.airflow import CallFunction, RunStep

BRIEF: dict[str, Any] = {
    "execution_timeout": timedelta(seconds=1),
    "retries": 1,
    "retry_delay": timedelta(seconds=1),
}

for dag_id in ("hasty", "hasty_mapped"):
    with DAG(
        dag_id=dag_id,
        schedule=None,
        start_date=datetime(2026, 1, 1),
        params={"tickers": [], "mode": "bulk"},
        default_args={"pipeline": "data_collection_equities"},
    ):
        start = CallFunction(
            task_id="initialize_execution",
            function="headgate.start_execution",
            args={"p_params": "{{ params | tojson }}"},
        )
        quota = CallFunction(task_id="check_api_quota", function="headgate.check_quota")
        if dag_id == "hasty":
            load = RunStep(task_id="load", step="process_us_markets", **BRIEF)
        else:
            load = RunStep.partial(task_id="load", **BRIEF).expand(step=["process_us_markets"])
        finish = CallFunction(
            task_id="finalize_execution",
            function="headgate.finalize_execution",
            trigger_rule="all_done",
        )
        start >> quota >> load >> finish
