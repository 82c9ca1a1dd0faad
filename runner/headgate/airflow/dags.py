"""What our DAGs have in common: their words, limits, parameters, and whom they tell."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from airflow.sdk import Asset

from headgate.airflow.links import docs_of
from headgate.airflow.notifier import AlertNotifier
from headgate.airflow.params import params_of
from headgate.airflow.triggers import CONN_ID

POOL: Final = "HEADGATE_POOL"
TAG: Final = "headgate"
ANY_PARAMETER: Final = "any parameter"
"""The tag of a DAG that has no snapshot: what a person asks of it is judged by its first task."""
START: Final[dict[str, Any]] = {"p_params": "{{ params | tojson }}"}
"""What the first task hands on: the parameters as they were asked for."""
ORDERED: Final[dict[str, Any]] = {"p_is_ordered": "{{ dag_run.run_type == 'asset_triggered' }}"}
"""And, where orders wake a DAG, whether one has."""

DONE: Final = " has succeeded"
"""What a pipeline's asset is called, after its name."""


def defaults(
    file: str,
    about: str,
    *,
    page: str,
    timeout: timedelta,
    tags: Sequence[str] = (),
    conn_id: str = CONN_ID,
) -> dict[str, Any]:
    """Return what to give a DAG that is named as its file is: DAG(..., **defaults(...)).

    After `timeout` Airflow ends a run as failed. There is no deadline before that: with one,
    Airflow 3.3.2 answers each clearing of a run's tasks by an error of its own.
    """
    dag_id = Path(file).stem
    params = params_of(dag_id, beside=file)
    pool = {"pool": os.environ[POOL]} if os.environ.get(POOL) else {}
    return {
        "dag_id": dag_id,
        "description": about.strip().partition("\n")[0],
        "doc_md": _words(dag_id, about, page, is_open=params is None),
        "tags": [TAG, *tags, *([ANY_PARAMETER] if params is None else [])],
        "start_date": datetime(2026, 1, 1),
        "catchup": False,
        "max_active_runs": 1,
        "params": params or {},
        "dagrun_timeout": timeout,
        "on_failure_callback": AlertNotifier(conn_id=conn_id, state="failed"),
        "on_success_callback": AlertNotifier(conn_id=conn_id, state="success"),
        "default_args": {
            "owner": "headgate",
            "conn_id": conn_id,
            **pool,
        },
    }


def done(pipeline: str) -> Asset:
    """Return what a pipeline's runs that succeed bring: an outlet of its DAG's last task."""
    return Asset(f"{pipeline}{DONE}")


def after(*pipelines: str) -> list[Asset]:
    """Return the schedule of a pipeline that comes after others: put_pipeline's `after`."""
    return [done(x) for x in pipelines]


def _words(dag_id: str, about: str, page: str, *, is_open: bool) -> str:
    """Return what the DAG's page shows."""
    words = f"""{about.strip()}

- What it does: [{page}]({docs_of(page)})
- When it is red, or late: [operations.md]({docs_of("operations.md")})
- What each part of these pages is: [airflow-dags.md]({docs_of("airflow-dags.md")})
- In psql: `select * from headgate.v_recent_executions where pipeline = '{dag_id}'`
"""
    if is_open:
        words += """
Its parameters are not known here: there is no `params.json` beside the DAG that names them
(`headgate airflow params` writes one). A run takes any, and its first task judges them.
"""
    return words
