"""The same jobs in three ways: one mapped task each, one step for a runner, a loop in one task."""

from datetime import datetime
from typing import Any

import requests
from airflow.sdk import DAG, task

from headgate.airflow import CallFunction, RunStep
from headgate.airflow.calls import connect

GIVEN: dict[str, Any] = {"start_date": datetime(2026, 1, 1), "catchup": False}
NOTE = "insert into public.answers (code, bars) values (%s, %s)"


@task
def codes(params: dict[str, Any]) -> list[str]:
    """Return the assets' codes."""
    return [f"N{n + 1}" for n in range(params["jobs"])]


@task
def load(code: str, params: dict[str, Any]) -> None:
    """Make one call, and record its result."""
    answer = requests.get(f"{params['base_url']}/eod/{code}", timeout=30)
    with connect("headgate") as connection:
        connection.execute(NOTE, (code, len(answer.json())))


@task
def load_all(params: dict[str, Any]) -> None:
    """Make all calls, one after the other, and record each result."""
    with requests.Session() as session, connect("headgate") as connection:
        for n in range(params["jobs"]):
            answer = session.get(f"{params['base_url']}/eod/N{n + 1}", timeout=30)
            connection.execute(NOTE, (f"N{n + 1}", len(answer.json())))
            connection.commit()


with DAG(dag_id="bench_mapped", params={"jobs": 1, "base_url": ""}, schedule=None, **GIVEN):
    load.expand(code=codes())

with DAG(dag_id="bench_loop", params={"jobs": 1, "base_url": ""}, schedule=None, **GIVEN):
    load_all()

with DAG(dag_id="bench_step", schedule=None, **GIVEN):
    start = CallFunction(task_id="start", function="headgate.start_execution")
    finish = CallFunction(task_id="finish", function="headgate.finalize_execution")
    start >> RunStep(task_id="work") >> finish
