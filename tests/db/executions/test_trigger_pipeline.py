"""Orders: given in psql, taken by the scheduler's runs in turn, announced once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.db.conftest import Toys
from tests.db.toy import NOON, Toy
from tests.limits import PATIENCE


def order(toy: Toy, **params: Any) -> int:
    return int(toy.value("trigger_pipeline", p_pipeline="library", p_params=params))


def announced(toy: Toy) -> list[int]:
    return [x["order_id"] for x in toy.call("announce_order", p_pipeline="library")]


def taken(toy: Toy) -> dict[int, str | None]:
    rows = toy.sql(
        "select o.order_id, e.run_id from headgate.orders as o"
        " left join headgate.process_executions as e using (execution_id) order by o.order_id"
    )
    return {x["order_id"]: x["run_id"] for x in rows}


def params_of(toy: Toy, run: str) -> Any:
    return toy.scalar(
        "select params from headgate.process_executions where run_id = %(run)s", run=run
    )


def test_an_order_waits_with_its_parameters_and_who_gave_it(toy: Toy):
    order_id = order(toy, mode="new")

    (row,) = toy.sql("select * from headgate.orders")
    assert row["order_id"] == order_id
    assert row["params"] == {"mode": "new"}
    assert row["ordered_at"] == NOON
    assert row["ordered_by"] == toy.scalar("select session_user::text as name")
    assert row["taken_at"] is row["execution_id"] is row["announced_at"] is None


def test_the_next_run_takes_the_order_and_its_parameters(toy: Toy):
    order_id = order(toy, mode="new")

    toy.start("r1", "library")

    assert taken(toy) == {order_id: "r1"}
    assert params_of(toy, "r1")["mode"] == "new"


def test_five_orders_at_once_end_as_five_executions_in_their_order(toy: Toy):
    orders = [order(toy, max_new=n) for n in range(1, 6)]

    for n in range(1, 6):
        toy.start(f"r{n}", "library")
        toy.finish(f"r{n}", "library")

    assert taken(toy) == dict(zip(orders, ["r1", "r2", "r3", "r4", "r5"], strict=True))
    assert [params_of(toy, f"r{n}")["max_new"] for n in range(1, 6)] == [1, 2, 3, 4, 5]


def test_starting_the_same_run_again_takes_no_second_order(toy: Toy):
    first, second = order(toy), order(toy)

    toy.start("r1", "library")
    toy.start("r1", "library")

    assert taken(toy) == {first: "r1", second: None}


def test_parameters_at_their_defaults_count_as_none(toy: Toy):
    order_id = order(toy, mode="new")

    toy.start("r1", "library", p_params={"mode": "auto", "groups": None})

    assert taken(toy) == {order_id: "r1"}
    assert params_of(toy, "r1")["mode"] == "new"


def test_a_run_with_parameters_of_its_own_leaves_the_order_waiting(toy: Toy):
    order_id = order(toy, mode="new")

    toy.start("r1", "library", p_params={"mode": "known"})

    assert taken(toy) == {order_id: None}
    assert params_of(toy, "r1")["mode"] == "known"


def test_only_airflow_takes_orders(toy: Toy):
    order_id = order(toy)

    toy.call("run_pipeline", p_pipeline="library")

    assert taken(toy) == {order_id: None}


def test_a_run_that_an_order_woke_ends_at_once_when_another_run_has_taken_it(toy: Toy):
    order_id = order(toy, mode="new")
    toy.start("scheduled", "library")
    toy.finish("scheduled", "library")

    row = toy.start("woken", "library", p_is_ordered=True)

    assert (row["status"], row["is_new"]) == ("succeeded", True)
    assert taken(toy) == {order_id: "scheduled"}
    steps = toy.sql("select status from headgate.v_execution_steps where run_id = 'woken'")
    assert {x["status"] for x in steps} <= {"skipped", "succeeded"}


def test_a_woken_run_with_an_order_or_parameters_of_its_own_runs(toy: Toy):
    order_id = order(toy, mode="new")

    assert toy.start("r1", "library", p_is_ordered=True)["status"] == "running"
    assert taken(toy) == {order_id: "r1"}
    toy.finish("r1", "library")
    own = toy.start("r2", "library", p_is_ordered=True, p_params={"mode": "known"})
    assert own["status"] == "running"


def test_an_order_of_another_pipeline_is_left_alone(toy: Toy):
    order_id = order(toy)

    toy.start("r1", "plain")

    assert taken(toy) == {order_id: None}


def test_a_wrong_order_is_refused_when_it_is_given(toy: Toy):
    with toy.refused("HG001", "nowhere"):
        toy.call("trigger_pipeline", p_pipeline="nowhere")
    with toy.refused("HG007", "colour"):
        order(toy, colour="red")
    with toy.refused("HG008", "mode"):
        order(toy, mode=5)
    assert taken(toy) == {}


def test_each_order_is_announced_once_when_it_comes_next(toy: Toy):
    first, second = order(toy), order(toy)

    assert announced(toy) == [first]
    assert announced(toy) == []
    toy.start("r1", "library")
    assert announced(toy) == [second]
    assert announced(toy) == []


def test_an_order_nothing_has_come_of_is_announced_again_after_five_minutes(toy: Toy):
    order_id = order(toy)
    announced(toy)

    toy.later(minutes=5)
    assert announced(toy) == []
    toy.later(seconds=1)
    assert announced(toy) == [order_id]


def test_an_order_behind_a_running_execution_is_not_announced_again(toy: Toy):
    toy.start("r1", "library")
    order_id = order(toy)
    assert announced(toy) == [order_id]

    toy.at(NOON + timedelta(hours=1))
    assert announced(toy) == []
    toy.finish("r1", "library")
    assert announced(toy) == [order_id]


def test_a_listener_is_notified_of_an_order_and_of_the_next_one(toys: Toys):
    listener = toys.another()
    listener.connection.execute("listen headgate_orders")
    order(toys.one)
    order(toys.one)
    toys.one.start("r1", "library")

    told = listener.connection.notifies(timeout=PATIENCE, stop_after=3)
    assert [x.payload for x in told] == [""] * 3
