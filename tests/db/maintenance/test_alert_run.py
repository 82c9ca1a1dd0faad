"""Alerts about a scheduler's failed and late runs, which last until one succeeds."""

from __future__ import annotations

import pytest
from psycopg.types.json import Jsonb

from tests.db.toy import Toy

OPEN = (
    "select subject, severity, message from headgate.v_alerts where resolved_at is null order by 1"
)


def tell(toy: Toy, run: str, state: str, *tasks: str, dag: str = "nightly") -> None:
    toy.call("alert_run", p_dag=dag, p_run_id=run, p_state=state, p_tasks=Jsonb(tasks))


def test_a_failed_run_is_an_alert_with_its_dag_its_name_and_its_tasks(toy: Toy):
    tell(toy, "r1", "failed", "load", "finish")

    (alert,) = toy.sql(OPEN)
    assert (alert["subject"], alert["severity"]) == ("DAG nightly", "error")
    assert alert["message"].startswith("run r1 has failed: load, finish; ")


def test_the_next_success_resolves_it_and_no_other_dag_s(toy: Toy):
    tell(toy, "r1", "failed")
    tell(toy, "r1", "failed", dag="weekly")
    tell(toy, "r2", "success")
    tell(toy, "r3", "success")

    assert [x["subject"] for x in toy.sql(OPEN)] == ["DAG weekly"]


def test_a_late_run_is_a_warning_until_it_ends(toy: Toy):
    tell(toy, "r1", "late")

    (alert,) = toy.sql(OPEN)
    assert (alert["subject"], alert["severity"]) == ("DAG nightly is late", "warning")
    tell(toy, "r1", "failed")
    assert [x["subject"] for x in toy.sql(OPEN)] == ["DAG nightly"]


@pytest.mark.parametrize(
    ("dag", "run", "state", "word"),
    [
        ("nightly", "r1", "odd", "'odd'"),
        ("", "r1", "late", "p_dag"),
        ("nightly", "", "late", "p_run_id"),
    ],
)
def test_empty_names_are_refused(toy: Toy, dag: str, run: str, state: str, word: str):
    with toy.refused("HG008", word):
        tell(toy, run, state, dag=dag)
