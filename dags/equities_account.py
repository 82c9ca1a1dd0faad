"""Ask the equities' provider for its own count of units, and take it into the quota."""

from datetime import datetime

from airflow.sdk import DAG

from runner.airflow import CallFunction, RunStep

with DAG(
    dag_id="equities_account",
    schedule="0 2 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"conn_id": "headgate"},
):
    start = CallFunction(task_id="initialize_execution", function="headgate.start_execution")
    reconcile = RunStep(task_id="reconcile_quota")
    finish = CallFunction(
        task_id="finalize_execution",
        function="headgate.finalize_execution",
        trigger_rule="all_done",
    )
    start >> reconcile >> finish
