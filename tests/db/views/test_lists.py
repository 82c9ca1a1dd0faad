"""Lists: pipelines, operations, and the state of each need of an asset."""

from __future__ import annotations

from datetime import timedelta

from tests.db.toy import NOON, Toy
from tests.plan import Row


def operation(toy: Toy, name: str) -> Row:
    """Return an operation's row."""
    (row,) = toy.sql("select * from headgate.v_operations where operation = %(name)s", name=name)
    return row


def pipeline(toy: Toy, name: str = "plain") -> Row:
    """Return a pipeline's row."""
    (row,) = toy.sql("select * from headgate.v_pipelines where pipeline = %(name)s", name=name)
    return row


def statuses(toy: Toy, operation: str = "look") -> dict[str, str]:
    """Return the state of each asset's need of an operation."""
    rows = toy.sql(
        "select * from headgate.v_asset_states where operation = %(operation)s", operation=operation
    )
    return {x["asset"]: x["status"] for x in rows}


def test_an_operation_says_when_it_is_due_and_who_runs_it(toy: Toy):
    look = operation(toy, "look")

    assert (look["provider"], look["kind"], look["pipelines"]) == ("shop", "call", ["plain"])
    assert (look["state"], look["blocked_until"]) == ("flowing", None)
    toy.sql(
        "update headgate.operations set due_rule = 'every', due_every = '2 days' where name = 'look'"
    )
    assert operation(toy, "look")["due"] == "every 2 days"
    assert operation(toy, "sum")["due"].startswith("after ")


def test_a_call_for_many_assets_names_the_need_that_it_serves(toy: Toy):
    toy.sql(
        "update headgate.operations as o set bulk_call_of_operation_id = n.operation_id"
        " from headgate.operations as n where o.name = 'peek' and n.name = 'look'"
    )

    assert operation(toy, "peek")["serves"] == "look"
    assert operation(toy, "peek")["pipelines"] == ["aside", "plain"]


def test_an_operation_shows_its_own_breaker(toy: Toy):
    until = NOON + timedelta(hours=1)
    toy.provider(operation="look", blocked_until=str(until), reason="broken")

    look = operation(toy, "look")
    assert (look["state"], look["blocked_until"]) == ("blocked", until)


def test_a_pipeline_has_its_steps_in_order_and_its_newest_run(toy: Toy):
    assert pipeline(toy)["steps"] == ["start", "quota", "a", "b", "finish"]
    assert pipeline(toy)["latest_run_id"] is None

    toy.add(1)
    toy.begin(run="r1")
    toy.drain()
    toy.finish("r1")
    toy.later(minutes=1)
    toy.start("r2")

    latest = pipeline(toy)
    assert (latest["latest_run_id"], latest["latest_status"]) == ("r2", "running")
    assert latest["latest_started_at"] == toy.now
    assert pipeline(toy, "library")["latest_status"] is None


def test_a_need_is_due_held_done_waiting_left_out_or_inactive(toy: Toy):
    toy.add(6)
    toy.sql(
        "update headgate.asset_processing_state as s set next_due_at = v.at, consecutive_failures = v.failures"
        " from headgate.assets as a, (values ('A1', null, 0), ('A2', %(later)s::timestamptz, 0), ('A3', null, 5))"
        " as v (code, at, failures) where a.asset_id = s.asset_id and a.code = v.code",
        later=NOON + timedelta(hours=1),
    )
    toy.sql("update headgate.assets set is_active = false where code = 'A4'")
    asset_id = toy.value("find_asset", p_universe="things", p_code="A5")
    toy.sql(
        "update headgate.asset_processing_state set next_due_at = null where asset_id <> %(asset_id)s"
        " and next_due_at <= %(now)s",
        asset_id=asset_id,
        now=NOON,
    )
    toy.begin()

    assert statuses(toy) == {
        "A0": "done",
        "A1": "done",
        "A2": "waiting",
        "A3": "left out",
        "A4": "inactive",
        "A5": "held",
    }
    toy.later(hours=2)
    assert statuses(toy)["A2"] == "due"


def test_a_need_that_was_never_due_waits_for_the_operations_before_it(toy: Toy):
    toy.add(1, universe="books")

    assert statuses(toy, "sum") == statuses(toy, "update") == {"A0": "waiting"}
    toy.sql(
        "update headgate.asset_processing_state as s set succeeded_at = headgate.clock()"
        " from headgate.operations as o where o.operation_id = s.operation_id and o.name = 'sum'"
    )
    assert statuses(toy, "sum") == {"A0": "done"}
