"""Crawl services and a site daily, process their answers, write files, and load tables."""

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
    convert = RunStep(task_id="convert_formats")
    etl = CallFunction(task_id="run_etl", function="onpoint.run_etl")
    tables = CallFunction(task_id="create_tables", function="onpoint.create_tables")
    load = RunStep(task_id="load_data")
    upload = RunStep(task_id="upload_to_s3")
    check = CallFunction(task_id="data_quality_check", function="headgate.run_checks")
    notify = CallFunction(
        task_id="send_success_notification", function="onpoint.send_success_notification"
    )
    clean = RunStep(task_id="cleanup_temp_files", trigger_rule="all_done")
    finish = CallFunction(
        task_id="finalize_execution",
        function="headgate.finalize_execution",
        trigger_rule="all_done",
    )
    start >> robots >> web >> validate
    start >> crawl >> stories >> validate >> process >> [convert, etl] >> tables >> load
    load >> [upload, check] >> notify >> clean >> finish
