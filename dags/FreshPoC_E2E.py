"""Call FreshPoC's five services in strict order, on demand."""

from datetime import timedelta

from airflow.sdk import DAG

from headgate.airflow import CallFunction, RunStep
from headgate.airflow.dags import BRIEF, START, defaults

AGAIN = {"retries": 3, "retry_delay": timedelta(seconds=10), "retry_exponential_backoff": 2}
STEPS = ("ingestion_trigger", "miner_run", "analyzer_run", "writer_apply", "report_generate")

with DAG(
    schedule=None,
    **defaults(
        __file__,
        __doc__,
        page="freshpoc.md",
        tags=["freshpoc"],
        timeout=timedelta(hours=12),
    ),
):
    start = CallFunction(
        task_id="initialize_execution", function="headgate.start_execution", args=START
    )
    report = CallFunction(
        task_id="keep_report", function="freshpoc.report", trigger_rule="all_done"
    )
    finish = CallFunction(
        task_id="finalize_execution",
        function="headgate.finalize_execution",
        trigger_rule="all_done",
    )
    before = start
    for step in STEPS:
        task = RunStep(task_id=step, worker_wait=BRIEF, **AGAIN)
        before >> task
        before = task
    before >> report >> finish
