"""Extract data daily, train a model, evaluate it, and put it into use if it is better."""

from datetime import timedelta

from airflow.sdk import DAG

from headgate.airflow import CallFunction, RunStep
from headgate.airflow.dags import BRIEF, START, defaults

with DAG(
    schedule="0 2 * * *",
    **defaults(
        __file__,
        __doc__,
        page="recommender.md",
        tags=["recommender"],
        timeout=timedelta(hours=4),
    ),
):
    start = CallFunction(
        task_id="initialize_execution", function="headgate.start_execution", args=START
    )
    wait = CallFunction(
        task_id="await_integration",
        function="recommender.require_integration",
        retries=12,
        retry_delay=timedelta(minutes=5),
        retry_exponential_backoff=0,
        owner="recommendation-team",
    )
    again = {"owner": "recommendation-team", "retries": 2, "retry_delay": timedelta(minutes=5)}
    check = RunStep(task_id="check_fastapi_health", worker_wait=BRIEF, **again)
    extract = RunStep(task_id="extract_data", **again)
    preprocess = RunStep(task_id="preprocess_data", **again)
    train = RunStep(task_id="train_model", **again)
    promote = CallFunction(
        task_id="promote_model", function="recommender.promote_model", owner="recommendation-team"
    )
    announce = RunStep(task_id="announce_model", worker_wait=BRIEF, owner="recommendation-team")
    finish = CallFunction(
        task_id="finalize_execution",
        function="headgate.finalize_execution",
        trigger_rule="all_done",
    )
    start >> wait >> check >> extract >> preprocess >> train >> promote >> announce >> finish
