"""Compute the trading sessions to come, a year and a half ahead, once a week."""

from datetime import datetime

from airflow.sdk import DAG

from runner.airflow import CallFunction, RunStep

with DAG(
    dag_id="trading_calendars",
    schedule="0 3 * * 0",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"conn_id": "headgate"},
):
    start = CallFunction(task_id="initialize_execution", function="headgate.start_execution")
    extend = RunStep(task_id="extend_calendars")
    finish = CallFunction(
        task_id="finalize_execution",
        function="headgate.finalize_execution",
        trigger_rule="all_done",
    )
    start >> extend >> finish
