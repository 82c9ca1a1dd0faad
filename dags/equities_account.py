"""Reconcile the quota with the equities provider's own count of units."""

from datetime import timedelta

from airflow.sdk import DAG

from headgate.airflow import CallFunction, RunStep
from headgate.airflow.dags import START, defaults

with DAG(
    schedule="0 2 * * *",
    **defaults(
        __file__,
        __doc__,
        page="equities.md",
        tags=["equities"],
        timeout=timedelta(hours=2),
    ),
):
    start = CallFunction(
        task_id="initialize_execution", function="headgate.start_execution", args=START
    )
    reconcile = RunStep(task_id="reconcile_quota")
    finish = CallFunction(
        task_id="finalize_execution",
        function="headgate.finalize_execution",
        trigger_rule="all_done",
    )
    start >> reconcile >> finish
