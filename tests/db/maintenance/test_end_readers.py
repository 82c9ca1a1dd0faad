"""Readers may lift their own time limits: what then holds the horizon too long is ended, and nobody else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest
from psycopg import Connection
from psycopg.conninfo import make_conninfo
from psycopg.rows import DictRow

from runner.database import connect, dsn_of
from tests.db.conftest import Toys
from tests.db.maintenance.test_examine import wrong

RUN = {"p_pipeline": "headgate_maintenance", "p_run_id": "m1"}
THERE = "select 1 from pg_stat_activity where pid = %(pid)s"


@contextmanager
def holding(toys: Toys, login: str) -> Iterator[Connection[DictRow]]:
    """Log in as a role, without any limit, and hold a snapshot."""
    dsn = make_conninfo(dsn_of(toys.settings), user=login)
    with connect(replace(toys.settings, dsn=dsn), "test") as session:
        for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
            session.execute(f"set {name} = 0".encode())
        session.execute("begin isolation level repeatable read")
        session.execute("select 1")
        yield session


def set_limit(toys: Toys, limit: str) -> None:
    toys.one.sql(
        "update headgate.settings set value = to_jsonb(%(limit)s::text)"
        " where name = 'reader_transactions'",
        limit=limit,
    )


def is_ended(toys: Toys, session: Connection[DictRow]) -> bool:
    """Tell whether the session is gone, as soon as a signal has had its effect."""
    pid = session.info.backend_pid
    deadline = time.monotonic() + 60
    while toys.one.sql(THERE, pid=pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    with pytest.raises(psycopg.OperationalError):
        session.execute("select 1")
    return True


def is_there(toys: Toys, session: Connection[DictRow]) -> bool:
    return bool(toys.one.sql(THERE, pid=session.info.backend_pid)) and bool(
        session.execute("select 1").fetchone()
    )


@pytest.mark.parametrize("does", [("check_health", RUN), ("repair", {})], ids=lambda x: x[0])
def test_a_reader_who_holds_the_horizon_is_ended(toys: Toys, does: tuple[str, dict[str, str]]):
    with holding(toys, "headgate_reader") as reader, holding(toys, "headgate_planner") as planner:
        toys.one.call(does[0], **does[1])
        assert is_there(toys, reader), "ten minutes are allowed"
        set_limit(toys, "0 seconds")
        assert wrong(toys.one)["sessions of readers"]["is_fixable"]

        toys.one.call(does[0], **does[1])
        assert is_ended(toys, reader)
        assert is_there(toys, planner)
    actions = toys.one.sql("select action, changed from headgate.v_operator_actions limit 1")
    assert actions[0]["changed"] in ({"sessions": 1}, {"readers": 1})
    assert "sessions of readers" not in wrong(toys.one)


def test_so_is_a_login_that_is_a_member_of_the_reader(toys: Toys):
    toys.one.sql("create role dashboard login in role headgate_reader")
    try:
        with holding(toys, "dashboard") as reader:
            set_limit(toys, "0 seconds")
            assert "dashboard" in wrong(toys.one)["sessions of readers"]["found"]
            toys.one.call("check_health", **RUN)
            assert is_ended(toys, reader)
    finally:
        toys.one.sql("drop role dashboard")


def test_an_owner_that_may_not_end_sessions_says_which_grant_is_missing(toys: Toys):
    owner = toys.another(autocommit=False)  # others of this server keep their right
    owner.sql("revoke pg_signal_backend from headgate_owner")
    with holding(toys, "headgate_reader") as reader:
        owner.sql(
            "update headgate.settings set value = '\"0 seconds\"' where name = 'reader_transactions'"
        )
        alerts = {x["subject"]: x["message"] for x in owner.call("check_health", **RUN)}
        found = wrong(owner)

        assert "grant pg_signal_backend to headgate_owner" in alerts["sessions of readers"]
        assert found["role headgate_owner"]["advice"].endswith(
            "grant pg_signal_backend to headgate_owner"
        )
        assert not found["sessions of readers"]["is_fixable"]
        assert is_there(toys, reader)
    owner.connection.rollback()
