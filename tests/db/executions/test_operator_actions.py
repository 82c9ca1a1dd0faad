"""Operators' actions in the middle of a run: each is idempotent, and recorded with who and when."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from psycopg import Connection
from psycopg.conninfo import make_conninfo
from psycopg.errors import InsufficientPrivilege
from psycopg.rows import DictRow

from headgate.database import connect, dsn_of
from tests.db.conftest import Toys
from tests.db.toy import Toy
from tests.plan import Plan, Row

HANDS: dict[str, Callable[[Toy], Row]] = {
    "pause_pipeline": lambda toy: toy.row("pause_pipeline", p_pipeline="plain"),
    "resume_pipeline": lambda toy: toy.row("resume_pipeline", p_pipeline="plain"),
    "cancel_execution": lambda toy: toy.row("cancel_execution", p_pipeline="plain", p_run_id="r1"),
    "retry_failed": lambda toy: toy.row("retry_failed", p_pipeline="plain", p_run_id="r1"),
    "skip_step": lambda toy: toy.row("skip_step", p_pipeline="plain", p_run_id="r1", p_step="a"),
    "mark_step": lambda toy: toy.row(
        "mark_step", p_pipeline="plain", p_run_id="r1", p_step="a", p_status="succeeded"
    ),
    "reset_asset": lambda toy: toy.row("reset_asset", p_asset_id=lowest(toy)),
    "set_asset_active": lambda toy: toy.row(
        "set_asset_active", p_asset_id=lowest(toy), p_is_active=False
    ),
    "set_provider": lambda toy: toy.row(
        "set_provider", p_provider="shop", p_changes={"blocked_until": None}
    ),
}


@pytest.fixture
def busy(toy: Toy) -> Toy:
    """A run in progress: jobs that succeeded, failed, are leased, and wait."""
    toy.tune(chunk_size=2)
    toy.add(12)
    toy.begin("a", "b")
    done, failed, _ = toy.claim(chunks=3)
    toy.complete(done)
    toy.complete(failed, "failed")
    return toy


def lowest(toy: Toy) -> int:
    return int(toy.scalar("select min(asset_id) from headgate.assets"))


@pytest.mark.parametrize("hand", HANDS)
def test_an_action_works_in_mid_run_and_twice_is_once(busy: Toy, hand: str):
    HANDS[hand](busy)
    with busy.unchanged():
        again = HANDS[hand](busy)

    if hand not in ("reset_asset", "set_provider"):  # these record what they were asked about
        assert set(again.values()) == {0}


@pytest.mark.parametrize("hand", HANDS)
def test_an_action_is_recorded_with_who_and_when(busy: Toy, hand: str):
    changed = HANDS[hand](busy)

    (action,) = busy.sql("select * from headgate.v_operator_actions")
    assert (action["action"], action["changed"]) == (hand, changed)
    assert action["acted_at"] == busy.now
    assert action["operator"] == busy.scalar("select session_user::text")
    assert action["client"] == "headgate test"
    assert action["arguments"]


def test_the_record_names_who_logged_in_and_not_whose_rights_were_used(busy: Toy):
    busy.sql("set local session authorization headgate_planner")
    busy.row("pause_pipeline", p_pipeline="plain")
    busy.sql("reset session authorization")

    (action,) = busy.sql("select * from headgate.v_operator_actions")
    assert action["operator"] == "headgate_planner"
    assert action["arguments"] == {"pipeline": "plain"}
    assert action["changed"] == {"paused_executions": 1, "paused_chunks": 3}


PEOPLE = ("anna", "ben")


@pytest.fixture
def people(toys: Toys) -> Iterator[None]:
    """Two people with logins of their own, who may do what the planner may."""
    for name in PEOPLE:
        toys.one.connection.execute(f"create role {name} login in role headgate_planner".encode())
    yield
    for name in PEOPLE:
        toys.one.connection.execute(f"drop role {name}".encode())


def logged_in(toys: Toys, name: str, application: str) -> Connection[DictRow]:
    """Log in to the server itself, as somebody."""
    dsn = make_conninfo(dsn_of(toys.settings), user=name)
    return connect(replace(toys.settings, dsn=dsn), application)


def test_real_logins_are_told_apart_whatever_role_they_take_on(toys: Toys, people: None):
    with logged_in(toys, "anna", "by hand") as anna, logged_in(toys, "ben", "by night") as ben:
        ben.execute("set role headgate_planner")
        for session in (anna, ben):
            Plan(session).call("pause_pipeline", p_pipeline="plain")
            Plan(session).call("resume_pipeline", p_pipeline="plain")
        assert Plan(ben).scalar("select current_user::text") == "headgate_planner"
        with pytest.raises(InsufficientPrivilege):
            ben.execute("set session authorization anna")

    rows = toys.one.sql("select distinct operator, client from headgate.v_operator_actions")
    assert {tuple(x.values()) for x in rows} == {
        ("anna", "headgate by hand"),
        ("ben", "headgate by night"),
    }


def test_each_run_has_who_started_it_and_a_second_start_changes_nothing(toys: Toys, people: None):
    with logged_in(toys, "anna", "by hand") as anna, logged_in(toys, "ben", "by night") as ben:
        ben.execute("set role headgate_planner")
        Plan(ben).call("run_pipeline", p_pipeline="plain", p_run_id="r1")
        Plan(anna).call("run_pipeline", p_pipeline="plain", p_run_id="r1")
        Plan(anna).call("start_execution", p_pipeline="library", p_run_id="r2")

    rows = toys.one.sql("select run_id, started_by from headgate.v_recent_executions")
    assert {tuple(x.values()) for x in rows} == {("r1", "ben"), ("r2", "anna")}


def test_who_has_the_record_forgotten_is_recorded(toy: Toy):
    HANDS["pause_pipeline"](toy)
    toy.later(days=2)
    toy.call("retain", p_keep="400 days")
    toy.call("retain", p_keep="1 day")

    (left,) = toy.sql("select action, operator, arguments from headgate.v_operator_actions")
    assert (left["action"], left["arguments"]) == ("retain", {"keep": "1 day"})
    assert left["operator"] == toy.scalar("select session_user::text")


def test_refused_actions_are_not_recorded(busy: Toy):
    with busy.refused("HG001"):
        busy.call("pause_pipeline", p_pipeline="nope")

    assert busy.sql("select * from headgate.v_operator_actions") == []


def test_a_cancelled_run_lets_calls_end_starts_nothing_and_returns_what_was_promised(busy: Toy):
    (under_way,) = busy.chunks("leased")
    assert busy.units() == (6, 6)

    assert HANDS["cancel_execution"](busy) == {"cancelled": 6}
    assert busy.units() == (0, 6)
    assert busy.claim("w2") == []
    busy.complete(under_way)
    assert busy.endings() == {"success": 4, "failed": 2, "cancelled": 6}
    assert busy.chunks() == []


def test_a_paused_run_keeps_its_place_and_continues_where_it_stood(busy: Toy):
    HANDS["pause_pipeline"](busy)
    (under_way,) = busy.chunks("leased")
    busy.complete(under_way)
    assert busy.claim("w2") == []
    assert busy.units() == (6, 6)

    HANDS["resume_pipeline"](busy)
    assert busy.drain("w2") == 6
    assert busy.endings() == {"success": 10, "failed": 2}


def test_actions_are_forgotten_with_the_rest_of_history(toy: Toy):
    HANDS["pause_pipeline"](toy)
    toy.later(days=399)
    HANDS["resume_pipeline"](toy)
    toy.later(days=2)
    toy.call("retain", p_keep="400 days")

    kept = toy.sql("select action from headgate.v_operator_actions")
    assert kept == [{"action": "resume_pipeline"}]
