"""Calculate indicators and publish the screener, after prices are loaded and once a day."""

from datetime import timedelta

from airflow.sdk import DAG, Asset, AssetOrTimeSchedule, CronTriggerTimetable

from headgate.airflow import CallFunction, RunStep
from headgate.airflow.dags import START, defaults

with DAG(
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("30 4 * * *", timezone="UTC"),
        assets=[Asset("equities/prices")],
    ),
    **defaults(
        __file__,
        __doc__,
        page="indicators.md",
        tags=["equities"],
        timeout=timedelta(hours=6),
    ),
):
    start = CallFunction(
        task_id="initialize_execution", function="headgate.start_execution", args=START
    )
    calculate = RunStep(task_id="calculate_indicators")
    publish = CallFunction(task_id="publish_screener", function="equities.publish_screener")
    finish = CallFunction(
        task_id="finalize_execution",
        function="headgate.finalize_execution",
        trigger_rule="all_done",
    )
    start >> calculate >> publish >> finish
