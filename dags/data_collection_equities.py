"""Load due data of 21,817 listings after the US close, within the provider's quota."""

from datetime import timedelta

from airflow.sdk import DAG, Asset, AssetAlias

from headgate.airflow import CallFunction, RunStep, orders_or
from headgate.airflow.dags import ORDERED, START, defaults

STEPS = (
    "process_us_markets",
    "process_lse",
    "process_german_markets",
    "process_european_markets",
    "load_fx_rates",
)

with DAG(
    schedule=orders_or("30 21 * * *", pipeline="data_collection_equities"),
    **defaults(
        __file__,
        __doc__,
        page="equities.md",
        tags=["equities"],
        timeout=timedelta(hours=23),
    ),
):
    start = CallFunction(
        task_id="initialize_execution",
        function="headgate.start_execution",
        args=START | ORDERED,
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
        outlets=[Asset("equities/prices"), AssetAlias("equities/prices")],
    )
    start >> delta >> quota >> process >> publish >> finish
