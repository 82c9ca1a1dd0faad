"""Compute the trading sessions of the next year and a half, once a week."""

from datetime import timedelta

from airflow.sdk import DAG

from headgate.airflow import CallFunction, RunStep
from headgate.airflow.dags import START, defaults

with DAG(
    schedule="0 3 * * 0",
    **defaults(
        __file__,
        __doc__,
        page="operations.md",
        tags=["equities"],
        timeout=timedelta(hours=4),
    ),
):
    start = CallFunction(
        task_id="initialize_execution", function="headgate.start_execution", args=START
    )
    extend = RunStep(task_id="extend_calendars")
    finish = CallFunction(
        task_id="finalize_execution",
        function="headgate.finalize_execution",
        trigger_rule="all_done",
    )
    start >> extend >> finish
