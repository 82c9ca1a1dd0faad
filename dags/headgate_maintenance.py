"""Maintain the database: retention, statistics, health."""

from datetime import datetime

from airflow.sdk import DAG

from runner.airflow import CallFunction

with DAG(
    dag_id="headgate_maintenance",
    schedule="0 2 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"conn_id": "headgate"},
):
    start = CallFunction(task_id="initialize_execution", function="headgate.start_execution")
    history = CallFunction(task_id="maintain_history", function="headgate.maintain_history")
    statistics = CallFunction(
        task_id="maintain_statistics", function="headgate.maintain_statistics"
    )
    health = CallFunction(
        task_id="check_health", function="headgate.check_health", trigger_rule="all_done"
    )
    finish = CallFunction(
        task_id="finalize_execution",
        function="headgate.finalize_execution",
        trigger_rule="all_done",
    )
    start >> history >> statistics >> health >> finish
