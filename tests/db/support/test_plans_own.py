"""A plan may use the universes and providers of its own functions, and no others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests.db.toy import Toy

MINE = "headgate_plan_toy"
OTHERS = "headgate_plan_maintenance"


def rights(toy: Toy) -> None:
    """Give the toy's plan the rights that migrate gives to plans."""
    toy.sql(
        "grant execute on all functions in schema headgate to headgate_plan_toy;"
        "grant select (result), insert (function, arguments) on headgate._requests to headgate_plan_toy"
    )


@pytest.fixture
def ask(toy: Toy) -> Callable[..., Any]:
    """Call a function of the core with the rights of a plan's role."""
    rights(toy)

    def call(role: str, function: str, **arguments: Any) -> Any:
        with toy.connection.transaction():
            toy.connection.execute(f"set local role {role}".encode())
            value = toy.call(function, **arguments)
            toy.connection.execute("reset role")
        return value

    return call


def requests(asset: int) -> list[tuple[str, dict[str, Any], str]]:
    """Return what a plan may request of the toy world, and the names of what it uses."""
    document = psycopg.types.json.Jsonb([{"code": "X", "group_key": "A"}])
    at = ["2024-03-06 00:00+00"]
    return [
        ("ask_again", {"p_operation": "look", "p_asset_ids": [asset], "p_due_at": at}, "operation look"),
        ("trust_bulk", {"p_operation": "look", "p_asset_ids": [asset]}, "operation look"),
        ("rename_asset", {"p_asset_id": asset, "p_code": "Y"}, "asset A0 of universe things"),
        ("reset_asset", {"p_asset_id": asset}, "asset A0 of universe things"),
        ("set_asset_active", {"p_asset_id": asset, "p_is_active": False}, "of universe things"),
        ("upsert_assets", {"p_universe": "things", "p_assets": document}, "universe things"),
        ("reconcile_quota", {"p_provider": "shop", "p_reported": 10**8, "p_reported_on": "2024-03-05"}, "provider shop"),
        ("cover_groups", {"p_pipeline": "plain", "p_step": "a", "p_group_keys": ["Z"]}, "pipeline plain"),
    ]  # fmt: skip


def test_each_request_is_refused_to_another_plan_and_nothing_is_changed(
    toy: Toy, ask: Callable[..., Any]
):
    (asset,) = toy.add(1)
    for function, arguments, what in requests(asset):
        with toy.unchanged(), toy.refused("42501", "plan maintenance has no right to change", what):
            ask(OTHERS, function, **arguments)


def test_the_owning_plan_and_operators_get_an_answer(toy: Toy, ask: Callable[..., Any]):
    (asset,) = toy.add(1)
    for function, arguments, _ in requests(asset):
        assert len(ask(MINE, function, **arguments)) == 1, function
        if function not in ("ask_again", "trust_bulk", "rename_asset"):
            assert len(ask("headgate_planner", function, **arguments)) == 1, function


def test_pages_are_taken_for_a_plan_s_own_operations(toy: Toy, ask: Callable[..., Any]):
    assert ask(MINE, "take_pages", p_operation="look", p_answers="{}") == []
    with toy.refused("42501", "plan maintenance has no right to change operation look"):
        ask(OTHERS, "take_pages", p_operation="look", p_answers="{}")


def test_sessions_are_everybodys_to_ask_for(toy: Toy, ask: Callable[..., Any]):
    one = psycopg.types.json.Jsonb([{"code": "XNYS", "group_key": "calendar"}])
    ask(MINE, "upsert_assets", p_universe="trading_calendars", p_assets=one)


@pytest.mark.parametrize("subject", ["provider shop", "secret of shop", "step a of plain", "DAG x"])
def test_no_plan_raises_or_hides_the_alerts_of_the_core(
    toy: Toy, ask: Callable[..., Any], subject: str
):
    with toy.refused("42501", "has no right to change alert"):
        ask(MINE, "resolve_alert", p_subject=subject)
    with toy.refused("42501", "has no right to change alert"):
        ask(MINE, "raise_alert", p_severity="error", p_subject=subject, p_message="lies")
    ask(MINE, "raise_alert", p_severity="error", p_subject="my own", p_message="something")


OPEN = "select count(*) from headgate.v_alerts where resolved_at is null"


def test_a_plan_s_alert_is_closed_by_it_or_the_owner_not_by_another_plan(
    toy: Toy, ask: Callable[..., Any]
):
    for closer, left in ((OTHERS, 1), (MINE, 0), ("headgate_owner", 0)):
        ask(MINE, "raise_alert", p_severity="error", p_subject="my own", p_message="wrong")
        ask(closer, "resolve_alert", p_subject="my own")
        assert toy.scalar(OPEN) == left, closer


def test_a_plan_closes_no_alert_of_the_owner_s(toy: Toy, ask: Callable[..., Any]):
    ask("headgate_owner", "raise_alert", p_severity="error", p_subject="x", p_message="wrong")
    ask(MINE, "resolve_alert", p_subject="x")
    assert toy.scalar(OPEN) == 1


def test_no_plan_can_pose_as_another(toy: Toy, ask: Callable[..., Any]):
    (asset,) = toy.add(1)
    lie = (
        "insert into headgate._requests (caller, function, arguments)"
        f" values ('headgate_planner', 'reset_asset', '{{\"p_asset_id\": {asset}}}')"
    )
    for forged in (
        lie,
        "alter view headgate._requests alter column caller set default 'headgate_planner'",
        "select headgate._reset_asset(1, null)",
        "select headgate._answer()",
    ):
        toy.sql("revoke execute on all functions in schema headgate from headgate_plan_toy")
        with pytest.raises(psycopg.errors.InsufficientPrivilege), toy.connection.transaction():
            toy.connection.execute(f"set local role {MINE}".encode())
            toy.connection.execute(forged.encode())
    toy.connection.execute("reset role")
