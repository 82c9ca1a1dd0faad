"""Custom DAG: another id, two pipelines, task groups, a mapped step, templates."""

from datetime import datetime

from airflow.sdk import DAG, Param, TaskGroup

from headgate.airflow import CallFunction, RunStep

START, FINALIZE = "headgate.start_execution", "headgate.finalize_execution"

with DAG(
    dag_id="own_shapes",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    params={"account": Param("equities_account", type="string")},
):
    with TaskGroup("calendars", default_args={"pipeline": "trading_calendars"}) as calendars:
        start = CallFunction(task_id="initialize_execution", function=START)
        steps = RunStep.partial(task_id="extend").expand(step=["extend_calendars"])
        finish = CallFunction(
            task_id="finalize_execution", function=FINALIZE, trigger_rule="all_done"
        )
        start >> steps >> finish

    with TaskGroup("account", default_args={"pipeline": "{{ params.account }}"}) as account:
        start = CallFunction(task_id="begin", step="initialize_execution", function=START)
        reconcile = RunStep(task_id="ask", step="{{ 'reconcile' }}_quota")
        finish = CallFunction(task_id="end", function=FINALIZE, trigger_rule="all_done")
        start >> reconcile >> finish

    calendars >> account
