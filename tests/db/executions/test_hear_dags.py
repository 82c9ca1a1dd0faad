"""A scheduler reports the state of its DAGs: their pauses reach the plan, and no order is lost through one."""

from __future__ import annotations

from typing import Any

from psycopg.types.json import Jsonb

from tests.db.toy import Toy


def hear(
    toy: Toy, dag: str = "plain", *, paused: bool, runs: int = 0, of: str = "", **more: Any
) -> list[tuple[str, str]]:
    """Report the state of one DAG; return what that has changed."""
    dags = [{"dag": dag, "is_paused": paused, "active_runs": runs, "orders_of": [of]}]
    found = toy.call("hear_dags", **{"p_deployment": None, "p_dags": Jsonb(dags)} | more)
    return [(x["pipeline"], x["action"]) for x in found]


def is_paused(toy: Toy) -> tuple[bool, bool]:
    """Return whether `plain` is paused, and whether the DAG's pause is the reason."""
    (row,) = toy.sql(
        "select is_paused, is_paused_with_dag from headgate.v_pipelines where pipeline = 'plain'"
    )
    return row["is_paused"], row["is_paused_with_dag"]


def announced(toy: Toy, pipeline: str = "plain") -> list[int]:
    return [x["order_id"] for x in toy.call("announce_order", p_pipeline=pipeline)]


def test_pausing_a_dag_holds_its_pipeline_and_unpausing_it_resumes_it(toy: Toy):
    toy.add(25)
    hear(toy, paused=False)
    toy.begin()

    assert hear(toy, paused=True) == [("plain", "paused")]
    assert is_paused(toy) == (True, True)
    assert toy.claim() == []
    assert hear(toy, paused=True) == []
    assert hear(toy, paused=False) == [("plain", "resumed")]
    toy.drain()
    assert toy.step()["status"] == "succeeded"


def test_a_first_report_changes_nothing(toy: Toy):
    assert hear(toy, paused=True) == []
    assert is_paused(toy) == (False, False)


def test_a_pause_by_hand_outlasts_the_dags(toy: Toy):
    hear(toy, paused=False)
    toy.call("pause_pipeline", p_pipeline="plain")

    assert hear(toy, paused=True) == []
    assert hear(toy, paused=False) == []
    assert is_paused(toy) == (True, False)


def test_a_pipeline_resumed_by_hand_stays_resumed_while_its_dag_is_paused(toy: Toy):
    hear(toy, paused=False)
    hear(toy, paused=True)
    toy.call("resume_pipeline", p_pipeline="plain")

    assert hear(toy, paused=True) == []
    assert is_paused(toy) == (False, False)


def test_where_it_is_not_wanted_a_pause_of_a_dag_is_its_own_affair(toy: Toy):
    hear(toy, paused=False)

    assert hear(toy, paused=True, p_follows_pauses=False) == []
    assert is_paused(toy) == (False, False)
    (row,) = toy.sql("select dag, pipeline, is_paused, is_pipeline_paused from headgate.v_dags")
    assert row == {
        "dag": "plain",
        "pipeline": "plain",
        "is_paused": True,
        "is_pipeline_paused": False,
    }


def test_a_pipeline_of_two_dags_is_paused_with_the_last_of_them(toy: Toy):
    def both(first: bool, second: bool) -> list[tuple[str, str]]:
        dags = [
            {"dag": x, "is_paused": y, "active_runs": 0, "orders_of": ["plain"]}
            for x, y in (("nightly", first), ("hourly", second))
        ]
        found = toy.call("hear_dags", p_deployment=None, p_dags=Jsonb(dags))
        return [(x["pipeline"], x["action"]) for x in found]

    both(False, False)
    assert both(True, False) == []
    assert both(True, True) == [("plain", "paused")]
    assert both(False, True) == [("plain", "resumed")]


def test_a_dag_of_another_name_is_known_from_its_first_run(toy: Toy):
    toy.start(p_dag="nightly", p_deployment="blue")
    toy.finish()

    assert hear(toy, "nightly", paused=True, p_deployment="green") == []
    assert hear(toy, "nightly", paused=True, p_deployment="blue") == [("plain", "paused")]


def test_a_stranger_is_passed_over(toy: Toy):
    hear(toy, "somebody_elses", paused=True)

    assert toy.sql("select * from headgate.v_dags") == []


def test_an_order_waits_for_the_pause_to_end_and_is_announced_then(toy: Toy):
    hear(toy, paused=True)
    order = toy.value("trigger_pipeline", p_pipeline="plain")

    assert announced(toy) == []
    hear(toy, paused=False)
    assert announced(toy) == [order]


def test_an_announcement_that_a_pause_has_swallowed_is_made_again(toy: Toy):
    order = toy.value("trigger_pipeline", p_pipeline="plain")
    assert announced(toy) == [order]

    toy.later(seconds=11)
    hear(toy, paused=False, runs=1)
    assert announced(toy) == []
    hear(toy, paused=False)
    assert announced(toy) == [order]


def test_an_order_of_a_paused_pipeline_is_announced_when_that_is_resumed(toy: Toy):
    toy.call("pause_pipeline", p_pipeline="plain")
    order = toy.value("trigger_pipeline", p_pipeline="plain")

    assert announced(toy) == []
    toy.call("resume_pipeline", p_pipeline="plain")
    assert announced(toy) == [order]
