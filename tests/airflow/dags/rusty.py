"""A task fails by itself, and no step of the plan with it."""

from datetime import datetime

from airflow.sdk import DAG

from runner.airflow import CallFunction, RunStep

with DAG(dag_id="rusty", schedule=None, start_date=datetime(2026, 1, 1)):
    start = CallFunction(task_id="initialize_execution", function="headgate.start_execution")
    broken = RunStep(task_id="step_of_nothing")
    finish = CallFunction(
        task_id="finalize_execution",
        function="headgate.finalize_execution",
        trigger_rule="all_done",
    )
    start >> broken >> finish
