"""Listener that writes the sentence from finalize_execution as the note of an ended run.

A task cannot write a note: the Execution API accepts one only when a run is created. The listener
is called in the scheduler, within the transaction that ends the run.
"""

from __future__ import annotations

from typing import Any

from airflow.listeners import hookimpl

from headgate.airflow.events import NOTE


@hookimpl
def on_dag_run_success(dag_run: Any) -> None:
    """Write the note of a green run: the jobs that were put off."""
    _note(dag_run)


@hookimpl
def on_dag_run_failed(dag_run: Any) -> None:
    """Write the note of a red run: the jobs that failed or were put off."""
    _note(dag_run)


def _note(dag_run: Any) -> None:
    """Write the run's note, or clear an outdated one; a note written by a person stays."""
    from airflow.models.xcom import XComModel  # needs Airflow's database
    from sqlalchemy import select
    from sqlalchemy.orm import object_session

    if (session := object_session(dag_run)) is None:  # a run of dag.test()
        return
    known = dag_run.dag_run_note
    if known is not None and known.user_id is not None:
        return
    of_run = (XComModel.dag_id == dag_run.dag_id, XComModel.run_id == dag_run.run_id)
    said = session.scalar(select(XComModel.value).where(*of_run, XComModel.key == NOTE).limit(1))
    if said or known is not None:
        dag_run.note = said
