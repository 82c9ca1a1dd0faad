"""Write what changed in OnPoint's tables since the last run to files of the lake."""

from datetime import timedelta

from airflow.sdk import DAG

from headgate.airflow import CallFunction, RunStep
from headgate.airflow.dags import START, defaults

with DAG(
    schedule="* * * * *",
    **defaults(
        __file__,
        __doc__,
        page="onpoint.md",
        tags=["onpoint"],
        timeout=timedelta(hours=1),
    ),
):
    start = CallFunction(
        task_id="initialize_execution", function="headgate.start_execution", args=START
    )
    export = RunStep(task_id="export_changes")
    finish = CallFunction(
        task_id="finalize_execution",
        function="headgate.finalize_execution",
        trigger_rule="all_done",
    )
    start >> export >> finish
