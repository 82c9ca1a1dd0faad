"""Check database, tables, runs, errors and machine; raise an alert that names failed checks."""

from datetime import timedelta

from airflow.sdk import DAG

from headgate.airflow import CallFunction, RunStep
from headgate.airflow.dags import START, defaults

with DAG(
    schedule="*/15 * * * *",
    **defaults(
        __file__,
        __doc__,
        page="onpoint.md",
        tags=["onpoint"],
        timeout=timedelta(minutes=30),
    ),
):
    start = CallFunction(
        task_id="initialize_execution", function="headgate.start_execution", args=START
    )
    measure = RunStep(task_id="measure_machine")
    check = CallFunction(
        task_id="pipeline_health_check",
        function="onpoint.pipeline_health_check",
        trigger_rule="all_done",
        retries=1,
        retry_delay=timedelta(minutes=5),
        retry_exponential_backoff=0,
        when_away={
            "overall_status": "UNHEALTHY",
            "failed_checks": ["database_connectivity"],
            "detailed_results": {"database_connectivity": {"status": "FAILED"}},
            "timestamp": "{{ dag_run.run_after.isoformat() }}",
        },
    )
    finish = CallFunction(
        task_id="finalize_execution",
        function="headgate.finalize_execution",
        trigger_rule="all_done",
    )
    start >> measure >> check >> finish
