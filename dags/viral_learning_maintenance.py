"""Check the services, delete old logs, archive old metrics, refresh caches, vacuum the tables."""

from datetime import timedelta

from airflow.sdk import DAG

from headgate.airflow import CallFunction, RunStep
from headgate.airflow.dags import BRIEF, START, defaults

TEAM = {"owner": "viral-learning-team"}
WAIT = {"retries": 2, "retry_delay": timedelta(minutes=5), **TEAM}
AGAIN = {"retry_exponential_backoff": 0, **WAIT}

with DAG(
    schedule="0 2 * * *",
    **defaults(
        __file__,
        __doc__,
        page="viral.md",
        tags=["viral"],
        timeout=timedelta(hours=2),
    ),
):
    start = CallFunction(
        task_id="initialize_execution", function="headgate.start_execution", args=START
    )
    required = RunStep(task_id="ask_required", worker_wait=BRIEF, **WAIT)
    others = RunStep(task_id="ask_others", worker_wait=BRIEF, **TEAM)
    health = CallFunction(
        task_id="health_checks",
        function="viral.health_check",
        trigger_rule="all_done",
        **TEAM,
    )
    clean = CallFunction(task_id="log_cleanup", function="viral.log_cleanup", **AGAIN)
    export = RunStep(task_id="metrics_export", **WAIT)
    archive = CallFunction(task_id="metrics_archive", function="viral.metrics_archive", **AGAIN)
    refresh = RunStep(task_id="cache_refresh", worker_wait=BRIEF, **WAIT)
    vacuum = RunStep(task_id="vacuum_tables", **WAIT)
    database = CallFunction(
        task_id="database_maintenance", function="viral.database_maintenance", **AGAIN
    )
    required_again = RunStep(task_id="ask_required_again", worker_wait=BRIEF, **WAIT)
    others_again = RunStep(task_id="ask_others_again", worker_wait=BRIEF, **TEAM)
    afterwards = CallFunction(
        task_id="health_afterwards",
        function="viral.health_check",
        trigger_rule="all_done",
        **TEAM,
    )
    finish = CallFunction(
        task_id="finalize_execution",
        function="headgate.finalize_execution",
        trigger_rule="all_done",
    )
    start >> [required, others] >> health >> [clean, export, refresh]
    export >> archive
    [clean, archive, refresh] >> vacuum >> database
    database >> [required_again, others_again] >> afterwards >> finish
