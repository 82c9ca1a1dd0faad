"""Small DAG for tests of clicks; its pipeline is in tests/airflow/clicks.py.

The task that ends a run has a pool of its own, so that tests can keep it from beginning.
"""

from datetime import datetime

from airflow.sdk import DAG, Param

from headgate.airflow import CallFunction, RunStep, orders_or

with DAG(
    dag_id="clicks",
    schedule=orders_or("0 0 1 1 *", pipeline="clicks"),
    start_date=datetime(2020, 1, 1),
    catchup=False,
    max_active_runs=1,
    params={"codes": Param(None, type=["null", "array"], items={"type": "string"})},
):
    start = CallFunction(
        task_id="initialize_execution",
        function="headgate.start_execution",
        args={
            "p_params": "{{ params | tojson }}",
            "p_is_ordered": "{{ dag_run.run_type == 'asset_triggered' }}",
        },
    )
    quota = CallFunction(task_id="check_api_quota", function="headgate.check_quota")
    look = CallFunction(task_id="look_back", function="headgate.discover_delta")
    finish = CallFunction(
        task_id="finalize_execution",
        function="headgate.finalize_execution",
        trigger_rule="all_done",
        pool="clicks_end",
    )
    start >> quota >> RunStep(task_id="first") >> RunStep(task_id="second") >> look >> finish
