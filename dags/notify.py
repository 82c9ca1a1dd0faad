"""Send waiting notifications, on alerts and ends of runs, by Slack, web hook and mail."""

from datetime import timedelta

from airflow.sdk import DAG

from headgate.airflow import CallFunction, RunStep, orders_or
from headgate.airflow.dags import ORDERED, START, defaults

with DAG(
    schedule=orders_or("*/15 * * * *", pipeline="notify"),
    **defaults(
        __file__,
        __doc__,
        page="notifications.md",
        tags=["maintenance"],
        timeout=timedelta(hours=1),
    ),
):
    start = CallFunction(
        task_id="initialize_execution",
        function="headgate.start_execution",
        args=START | ORDERED,
    )
    send = RunStep(task_id="send")
    finish = CallFunction(
        task_id="finalize_execution",
        function="headgate.finalize_execution",
        trigger_rule="all_done",
    )
    start >> send >> finish
