"""v_orders shows an order's status and what it waits for."""

from __future__ import annotations

from psycopg.types.json import Jsonb

from tests.db.toy import Toy


def order(toy: Toy) -> int:
    """Order a run of `plain`."""
    return int(toy.value("trigger_pipeline", p_pipeline="plain"))


def hear(toy: Toy, *, paused: bool) -> None:
    dags = [{"dag": "plain", "is_paused": paused, "active_runs": 0}]
    toy.call("hear_dags", p_deployment=None, p_dags=Jsonb(dags))


def said(toy: Toy, number: int) -> tuple[str, str | None]:
    """Return an order's status, and what it waits for."""
    (row,) = toy.sql(
        "select status, reason from headgate.v_orders where order_id = %(order)s", order=number
    )
    return row["status"], row["reason"]


def test_the_view_says_what_keeps_an_order_waiting(toy: Toy):
    first, second = order(toy), order(toy)
    assert said(toy, first) == ("waiting", "no scheduler has reported a DAG for it")

    hear(toy, paused=True)
    assert said(toy, first) == ("waiting", "its DAG is paused")
    hear(toy, paused=False)
    assert said(toy, first) == ("waiting", "the scheduler is about to be notified")
    assert said(toy, second) == ("waiting", "1 before it")
    toy.call("announce_order", p_pipeline="plain")
    assert said(toy, first)[1] == "the scheduler was notified: its run is about to begin"
    toy.later(minutes=5)
    assert said(toy, first)[1] == "no word from a scheduler since 2024-03-05 12:00:00+00"


def test_the_view_names_the_run_that_is_in_the_way_and_the_pause(toy: Toy):
    toy.start("r0")
    hear(toy, paused=False)
    number = order(toy)

    assert said(toy, number)[1] == "run r0 is under way"
    hear(toy, paused=True)
    assert said(toy, number)[1] == "its DAG is paused, and the pipeline with it"
    toy.call("pause_pipeline", p_pipeline="plain")
    assert "call headgate.resume_pipeline" in str(said(toy, number)[1])


def test_a_taken_order_has_the_status_of_its_run(toy: Toy):
    number = order(toy)
    toy.start()

    assert said(toy, number) == ("running", None)
    toy.finish()
    (row,) = toy.sql("select status, run_id from headgate.v_orders")
    assert row == {"status": "succeeded", "run_id": "r1"}
