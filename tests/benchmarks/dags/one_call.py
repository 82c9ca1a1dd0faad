"""Consecutive calls, as steps of one call and as bare tasks that make the same calls."""

import os
from datetime import datetime
from typing import Any

import requests
from airflow.sdk import DAG, chain, task

from headgate.airflow import CallFunction, RunStep
from headgate.airflow.dags import BRIEF

GIVEN: dict[str, Any] = {"start_date": datetime(2026, 1, 1), "catchup": False}
CALLS = int(os.environ.get("BENCH_CALLS", "10"))


@task
def call(n: int, params: dict[str, Any]) -> int:
    """Make one call."""
    answer = requests.get(f"{params['base_url']}/step_{n}", timeout=30)
    answer.raise_for_status()
    return len(answer.json())


with DAG(dag_id="bench_chain", schedule=None, **GIVEN):
    start = CallFunction(task_id="start", function="headgate.start_execution")
    finish = CallFunction(task_id="finish", function="headgate.finalize_execution")
    chain(start, *(RunStep(task_id=f"step_{n}", worker_wait=BRIEF) for n in range(CALLS)), finish)

with DAG(dag_id="bench_bare", params={"base_url": ""}, schedule=None, **GIVEN):
    chain(*(call.override(task_id=f"step_{n}")(n) for n in range(CALLS)))
