"""DAG that misses its deadline, with a task that fails although no step of the plan does."""

from datetime import datetime, timedelta

from airflow.sdk import DAG, AsyncCallback, DeadlineAlert, DeadlineReference

from headgate.airflow import CallFunction, RunStep
from headgate.airflow.notifier import AlertNotifier

with DAG(
    dag_id="rusty",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    on_failure_callback=AlertNotifier(),
    deadline=DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(seconds=0),
        callback=AsyncCallback(AlertNotifier, kwargs={"conn_id": "headgate", "state": "late"}),
    ),
):
    start = CallFunction(task_id="initialize_execution", function="headgate.start_execution")
    broken = RunStep(task_id="step_of_nothing")
    finish = CallFunction(
        task_id="finalize_execution",
        function="headgate.finalize_execution",
        trigger_rule="all_done",
    )
    start >> broken >> finish
