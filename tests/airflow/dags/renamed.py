"""DAG of another name that runs the calendars' pipeline."""

import os
from datetime import datetime

from airflow.sdk import DAG

from headgate.airflow import CallFunction, RunStep

with DAG(
    dag_id=os.environ.get("CALENDARS_DAG", "calendars_by_another_name"),
    schedule=None,
    start_date=datetime(2026, 1, 1),
    default_args={"pipeline": "trading_calendars"},
):
    start = CallFunction(task_id="initialize_execution", function="headgate.start_execution")
    extend = RunStep(task_id="extend_calendars")
    finish = CallFunction(
        task_id="finalize_execution",
        function="headgate.finalize_execution",
        trigger_rule="all_done",
    )
    start >> extend >> finish
