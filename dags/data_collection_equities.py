"""Load what is due for 21,817 listings, within the provider's quota, after the US close."""

from datetime import datetime

from airflow.sdk import DAG, Asset, Param

from runner.airflow import CallFunction, RunStep, orders_or

STEPS = (
    "process_us_markets",
    "process_lse",
    "process_german_markets",
    "process_european_markets",
    "load_fx_rates",
)
UNITS = {"type": ["null", "integer"], "minimum": 0}
NAMES = {"type": ["null", "array"], "items": {"type": "string"}}

with DAG(
    dag_id="data_collection_equities",
    schedule=orders_or("30 21 * * *", pipeline="data_collection_equities"),
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    params={
        "mode": Param("auto", enum=["auto", "bulk", "incremental"]),
        "exchanges": Param(None, **NAMES),
        "tickers": Param(None, **NAMES),
        "eodhd_daily_quota": Param(None, **UNITS),
        "eodhd_quota_buffer": Param(None, **UNITS),
        "max_new_assets_per_day": Param(None, **UNITS),
        "max_price_updates_per_day": Param(None, **UNITS),
        "bulk_load_batch_size": Param(None, **UNITS),
        "incremental_batch_size": Param(None, **UNITS),
    },
    default_args={"conn_id": "headgate"},
):
    start = CallFunction(
        task_id="initialize_execution",
        function="headgate.start_execution",
        args={
            "p_params": "{{ params | tojson }}",
            "p_is_ordered": "{{ dag_run.run_type == 'asset_triggered' }}",
        },
    )
    delta = CallFunction(task_id="discover_delta", function="headgate.discover_delta")
    quota = CallFunction(task_id="check_api_quota", function="headgate.check_quota")
    process = [RunStep(task_id=step) for step in STEPS]
    publish = CallFunction(
        task_id="publish_prices", function="equities.publish_prices", trigger_rule="all_done"
    )
    finish = CallFunction(
        task_id="finalize_execution",
        function="headgate.finalize_execution",
        trigger_rule="all_done",
        outlets=[Asset("equities/prices")],
    )
    start >> delta >> quota >> process >> publish >> finish
