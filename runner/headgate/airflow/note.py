"""Puts on a run's page, as its note, what its finalize_execution has to say of a green run.

No task can write a note: the Execution API takes one only when a run is made. A listener sees the
run as it ends, in the scheduler, within the transaction that ends it.
"""

from __future__ import annotations

from typing import Any

from airflow.listeners import hookimpl

from headgate.airflow.events import NOTE


@hookimpl
def on_dag_run_success(dag_run: Any) -> None:
    """Note what a green run has put off."""
    _note(dag_run)


@hookimpl
def on_dag_run_failed(dag_run: Any) -> None:
    """Note what a red run has put off, or what has failed."""
    _note(dag_run)


def _note(dag_run: Any) -> None:
    """Note it, or that it is over; what a person has written stays."""
    from airflow.models.xcom import XComModel  # only where there is a database of Airflow's
    from sqlalchemy import select
    from sqlalchemy.orm import object_session

    if (session := object_session(dag_run)) is None:  # of dag.test()
        return
    known = dag_run.dag_run_note
    if known is not None and known.user_id is not None:
        return
    of_run = (XComModel.dag_id == dag_run.dag_id, XComModel.run_id == dag_run.run_id)
    said = session.scalar(select(XComModel.value).where(*of_run, XComModel.key == NOTE).limit(1))
    if said or known is not None:
        dag_run.note = said
