"""Maintain the database: retention, statistics, health."""

from datetime import timedelta

from airflow.sdk import DAG

from headgate.airflow import CallFunction
from headgate.airflow.dags import START, defaults

with DAG(
    schedule="0 2 * * *",
    **defaults(
        __file__,
        __doc__,
        page="operations.md",
        tags=["maintenance"],
        timeout=timedelta(hours=6),
    ),
):
    start = CallFunction(
        task_id="initialize_execution", function="headgate.start_execution", args=START
    )
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
