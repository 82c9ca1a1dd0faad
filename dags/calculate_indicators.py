"""Calculate indicators and publish the screener, when prices have been loaded and once a day."""

from datetime import datetime

from airflow.sdk import DAG, Asset, AssetOrTimeSchedule, CronTriggerTimetable

from runner.airflow import CallFunction, RunStep

with DAG(
    dag_id="calculate_indicators",
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("30 4 * * *", timezone="UTC"),
        assets=[Asset("equities/prices")],
    ),
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"conn_id": "headgate"},
):
    start = CallFunction(task_id="initialize_execution", function="headgate.start_execution")
    calculate = RunStep(task_id="calculate_indicators")
    publish = CallFunction(task_id="publish_screener", function="equities.publish_screener")
    finish = CallFunction(
        task_id="finalize_execution",
        function="headgate.finalize_execution",
        trigger_rule="all_done",
    )
    start >> calculate >> publish >> finish
