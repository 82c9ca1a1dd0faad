"""Crawl services and a web site daily, validate and process their answers, and load them."""

from datetime import timedelta

from airflow.sdk import DAG

from headgate.airflow import CallFunction, RunStep
from headgate.airflow.dags import START, defaults

AGAIN = {"retries": 2, "retry_delay": timedelta(minutes=5)}

with DAG(
    schedule="0 2 * * *",
    **defaults(
        __file__,
        __doc__,
        page="onpoint.md",
        tags=["onpoint"],
        timeout=timedelta(hours=6),
    ),
):
    start = CallFunction(task_id="start_pipeline", function="headgate.start_execution", args=START)
    crawl = RunStep(task_id="crawl_apis", **AGAIN)
    stories = RunStep(task_id="crawl_stories", trigger_rule="all_done", **AGAIN)
    robots = RunStep(task_id="read_robots", **AGAIN)
    web = RunStep(task_id="crawl_web", **AGAIN)
    validate = CallFunction(
        task_id="validate_raw_data",
        function="onpoint.validate_raw_data",
        trigger_rule="all_done",
    )
    process = CallFunction(task_id="process_data", function="onpoint.process_data")
    load = CallFunction(task_id="load_data", function="onpoint.load_data")
    check = CallFunction(task_id="data_quality_check", function="headgate.run_checks")
    finish = CallFunction(
        task_id="finalize_execution",
        function="headgate.finalize_execution",
        trigger_rule="all_done",
    )
    start >> robots >> web >> validate
    start >> crawl >> stories >> validate >> process >> load >> check >> finish
