"""Check the services' health, count the source tables, notify the recommender's service, report."""

from datetime import timedelta

from airflow.sdk import DAG

from headgate.airflow import CallFunction, RunStep
from headgate.airflow.dags import BRIEF, START, defaults

with DAG(
    schedule="0 */6 * * *",
    **defaults(
        __file__,
        __doc__,
        page="recommender.md",
        tags=["recommender"],
        timeout=timedelta(hours=2),
    ),
):
    start = CallFunction(
        task_id="initialize_execution", function="headgate.start_execution", args=START
    )
    again = {"owner": "noblestride-team", "retries": 1, "retry_delay": timedelta(minutes=3)}
    check = RunStep(task_id="check_services", worker_wait=BRIEF, **again)
    tables = RunStep(task_id="list_tables", worker_wait=BRIEF, **again)
    extract = RunStep(task_id="extract_data", **again)
    summarize = CallFunction(
        task_id="summarize_tables",
        function="recommender.summarize_tables",
        owner="noblestride-team",
    )
    sync = RunStep(task_id="sync_fastapi", worker_wait=BRIEF, owner="noblestride-team")
    report = CallFunction(
        task_id="generate_report",
        function="recommender.write_report",
        trigger_rule="all_done",
        owner="noblestride-team",
    )
    finish = CallFunction(
        task_id="finalize_execution",
        function="headgate.finalize_execution",
        trigger_rule="all_done",
    )
    start >> check >> tables >> extract >> summarize >> sync >> report >> finish
