"""Common parts of DAGs: texts, limits, parameters, alerts, schedules by orders or pipelines."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from airflow.sdk import Asset, AssetOrTimeSchedule, AssetWatcher, CronTriggerTimetable

from headgate.airflow.links import docs_of
from headgate.airflow.notifier import AlertNotifier
from headgate.airflow.params import known_of, params_of
from headgate.airflow.triggers import CONN_ID, ORDERS, OrderTrigger

POOL: Final = "HEADGATE_POOL"
TAG: Final = "headgate"
ANY_PARAMETER: Final = "any parameter"
"""Tag of a DAG without a snapshot: it accepts any parameter, and its first task checks them."""
NO_BACKFILL: Final = "no back-fill"
"""Tag of a DAG whose plan has no request that names a date."""
START: Final[dict[str, Any]] = {"p_params": "{{ params | tojson }}"}
"""Arguments of the first task: the run's parameters as requested."""
ORDERED: Final[dict[str, Any]] = {"p_is_ordered": "{{ dag_run.run_type == 'asset_triggered' }}"}
"""Argument of the first task of a DAG that orders can wake: whether an order woke this run."""
BRIEF: Final = timedelta(seconds=10)
"""`worker_wait` of a RunStep of one or two quick calls."""

DONE: Final = " has succeeded"
"""Suffix of a pipeline's name in its Airflow asset, which a successful run updates."""


def defaults(
    file: str,
    about: str,
    *,
    page: str,
    timeout: timedelta,
    tags: Sequence[str] = (),
    conn_id: str = CONN_ID,
) -> dict[str, Any]:
    """Return the keyword arguments of a DAG named after its file: DAG(..., **defaults(...)).

    After `timeout` Airflow ends a run as failed. No deadline alert is set: with one, Airflow 3.3.2
    fails with an error of its own whenever a run's tasks are cleared.
    """
    dag_id = Path(file).stem
    known = known_of(dag_id, beside=file)
    pool = {"pool": os.environ[POOL]} if os.environ.get(POOL) else {}
    return {
        "dag_id": dag_id,
        "description": about.strip().partition("\n")[0],
        "doc_md": _words(dag_id, about, page, is_open=known is None),
        "tags": [TAG, *tags, *_tags_of(known)],
        "start_date": datetime(2026, 1, 1),
        "catchup": False,
        "max_active_runs": 1,
        "params": params_of(known) if known else {},
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
    """Return the asset that a pipeline's successful runs update: an outlet of the last task."""
    return Asset(f"{pipeline}{DONE}")


def after(*pipelines: str) -> list[Asset]:
    """Return the schedule of a pipeline that runs after others: put_pipeline's `after`."""
    return [done(x) for x in pipelines]


def orders_or(cron: str, *, pipeline: str, conn_id: str = CONN_ID) -> AssetOrTimeSchedule:
    """Return a schedule of a cron expression (UTC) that an order for the pipeline also triggers."""
    watcher = AssetWatcher(
        name=f"{pipeline}{ORDERS}", trigger=OrderTrigger(pipeline=pipeline, conn_id=conn_id)
    )
    return AssetOrTimeSchedule(
        timetable=CronTriggerTimetable(cron, timezone="UTC"),
        assets=[Asset(name=f"{pipeline}{ORDERS}", watchers=[watcher])],
    )


def _tags_of(known: dict[str, Any] | None) -> list[str]:
    if known is None:
        return [ANY_PARAMETER]
    return [] if known.get("has_dates", True) else [NO_BACKFILL]


def _words(dag_id: str, about: str, page: str, *, is_open: bool) -> str:
    """Return the Markdown of the DAG's page."""
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
