"""Thread that carries over what people do in Airflow to Postgres within seconds.

It runs in the triggerer's process, even while no task of Headgate waits. It reads from Airflow's
database which runs have ended or were deleted and which DAGs are paused, and passes this to
`headgate.end_run` and `headgate.hear_dags`. Airflow finds it as the plugin's listener, so
installing the package is enough.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import psycopg
from airflow.listeners import hookimpl
from airflow.models.asset import AssetDagRunQueue, AssetModel, DagScheduleAssetReference
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.sdk.exceptions import AirflowException
from airflow.utils.session import create_session
from sqlalchemy import func, select

from headgate.airflow import calls
from headgate.airflow.calls import Row, Scheduler, connect, scheduler_of
from headgate.airflow.runs import ALIVE, end_abandoned
from headgate.airflow.triggers import CONN_ID, ORDERS

if TYPE_CHECKING:
    from psycopg import Connection
    from sqlalchemy.orm import Session

EVERY: Final = 2.0
LONGEST_PAUSE: Final = 60.0
UNDER_WAY: Final = ("queued", "running")
LOG: Final = logging.getLogger("headgate.airflow")
AT_WORK: Final = threading.Lock()
"""Held while the thread works, so that the triggerer's process never forks in between."""


@hookimpl
def on_starting(component: object) -> None:
    """Start the thread in the triggerer, and in no other process of Airflow."""
    if sys.argv[1:2] == ["triggerer"]:
        os.register_at_fork(
            before=AT_WORK.acquire, after_in_parent=AT_WORK.release, after_in_child=AT_WORK.release
        )
        threading.Thread(target=watch, name="headgate", daemon=True).start()


def watch() -> None:
    """Call `look` every two seconds; after an error, retry with a pause that doubles up to 60 s."""
    said, pause = "", EVERY
    while True:
        time.sleep(pause)
        try:
            with AT_WORK:
                connection = connect(CONN_ID)
            with connection:
                while True:
                    with AT_WORK:
                        look(connection, scheduler_of(CONN_ID))
                    said, pause = "", EVERY
                    time.sleep(EVERY)
        except (AirflowException, psycopg.Error) as exc:
            if said != str(exc):
                LOG.warning("cannot tell Headgate how the DAGs stand: %s", exc)
            said, pause = str(exc), min(2 * pause, LONGEST_PAUSE)


def look(connection: Connection[Row], scheduler: Scheduler) -> None:
    """Carry over the state of runs and DAGs from Airflow to Postgres, once."""
    runs = calls.select(connection, "headgate.open_runs", scheduler.named())
    connection.commit()
    with create_session() as session:
        dags = dags_of(session)
        states = states_of(session, runs, scheduler)
    told = {
        **scheduler.named(),
        "p_dags": dags,
        "p_follows_pauses": scheduler.pauses_pipelines,
    }
    for row in calls.select(connection, "headgate.hear_dags", told):
        LOG.warning("pipeline %s is %s with its DAG", row["pipeline"], row["action"])
    connection.commit()
    end_abandoned(connection, runs, states.__getitem__, LOG)


def dags_of(session: Session) -> list[Row]:
    """Return each DAG's state: paused, active or imminent runs, pipelines whose orders wake it."""
    active: dict[str, int] = dict(
        session.execute(
            select(DagRun.dag_id, func.count())
            .where(DagRun.state.in_(UNDER_WAY))
            .group_by(DagRun.dag_id)
        ).all()
    )
    woken = set(session.scalars(select(AssetDagRunQueue.target_dag_id)))
    orders: dict[str, list[str]] = {}
    for dag, asset in session.execute(
        select(DagScheduleAssetReference.dag_id, AssetModel.name).join(
            DagScheduleAssetReference.asset
        )
    ):
        if asset.endswith(ORDERS):
            orders.setdefault(dag, []).append(asset.removesuffix(ORDERS))
    return [
        {
            "dag": dag,
            "is_paused": is_paused,
            "active_runs": active.get(dag, 0) + (dag in woken),
            "orders_of": orders.get(dag, []),
        }
        for dag, is_paused in session.execute(
            select(DagModel.dag_id, DagModel.is_paused)
            .where(DagModel.is_stale.is_(False))
            .order_by(DagModel.dag_id)
        )
    ]


def states_of(session: Session, runs: list[Row], scheduler: Scheduler) -> dict[str, str]:
    """Return the state of each run as `state_of_run` does, by the run id in Postgres."""
    if not runs:
        return {}
    names = {(x["dag"], scheduler.run_there(x["run_id"])): x["run_id"] for x in runs}
    found: dict[tuple[str, str], Any] = {
        (dag, run): state
        for dag, run, state in session.execute(
            select(DagRun.dag_id, DagRun.run_id, DagRun.state).where(
                DagRun.dag_id.in_({dag for dag, _ in names}),
                DagRun.run_id.in_({run for _, run in names}),
            )
        )
    }
    said = {name: str(found.get(key, "gone")) for key, name in names.items()}
    return {name: ALIVE if state in UNDER_WAY else state for name, state in said.items()}
