"""A role may lift its own limits: sessions beyond the limits in the rows are ended, and no others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg import Connection
from psycopg.conninfo import make_conninfo
from psycopg.rows import DictRow

from headgate.database import connect, dsn_of
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


def set_limit(toys: Toys, limit: str, name: str = "transaction_age") -> None:
    toys.one.sql(
        "update headgate.role_limits set value = %(limit)s"
        " where role = 'headgate_reader' and name = %(name)s",
        limit=limit,
        name=name,
    )


def is_ended(toys: Toys, session: Connection[DictRow]) -> bool:
    """Return whether the session has ended, once a signal has had time to take effect."""
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


HEARTBEAT = {"p_runner": "r", "p_host": "h", "p_pid": 1, "p_version": "0"}


@pytest.mark.parametrize(
    "does",
    [
        ("check_health", RUN),
        ("repair", {}),
        ("heartbeat", HEARTBEAT),
        ("execution_status", RUN),
        ("step_status", RUN | {"p_step": "check_health"}),
    ],
    ids=lambda x: x[0],
)
def test_a_reader_who_holds_the_horizon_is_ended(toys: Toys, does: tuple[str, dict[str, Any]]):
    toys.one.call("start_execution", **RUN)
    with holding(toys, "headgate_reader") as reader, holding(toys, "headgate_planner") as planner:
        toys.one.call(does[0], **does[1])
        assert is_there(toys, reader), "ten minutes are allowed"
        set_limit(toys, "0 seconds")
        assert wrong(toys.one)["sessions beyond their limits"]["is_fixable"]

        toys.one.call(does[0], **does[1])
        assert is_ended(toys, reader)
        assert is_there(toys, planner)
    actions = toys.one.sql(
        "select changed from headgate.v_operator_actions where action = 'end_sessions'"
    )
    assert actions == [{"changed": {"sessions": 1, "logins": ["headgate_reader"]}}]
    assert "sessions beyond their limits" not in wrong(toys.one)


def test_a_session_of_a_member_of_the_reader_is_ended_too(toys: Toys):
    toys.one.sql("create role dashboard login in role headgate_reader")
    try:
        with holding(toys, "dashboard") as reader:
            set_limit(toys, "0 seconds")
            assert "dashboard" in wrong(toys.one)["sessions beyond their limits"]["found"]
            toys.one.call("check_health", **RUN)
            assert is_ended(toys, reader)
    finally:
        toys.one.sql("drop role dashboard")


def test_an_owner_that_may_not_end_sessions_says_which_grant_is_missing(toys: Toys):
    owner = toys.another(autocommit=False)  # sessions of others on this server stay
    owner.sql("revoke pg_signal_backend from headgate_owner")
    with holding(toys, "headgate_reader") as reader:
        owner.sql(
            "update headgate.role_limits set value = '0 seconds'"
            " where role = 'headgate_reader' and name = 'transaction_age'"
        )
        alerts = {x["subject"]: x["message"] for x in owner.call("check_health", **RUN)}
        found = wrong(owner)

        assert "grant pg_signal_backend to headgate_owner" in alerts["sessions beyond their limits"]
        assert found["role headgate_owner"]["advice"].endswith(
            "grant pg_signal_backend to headgate_owner"
        )
        assert not found["sessions beyond their limits"]["is_fixable"]
        assert is_there(toys, reader)
    owner.connection.rollback()


def test_a_session_idle_in_a_transaction_for_too_long_is_ended_too(toys: Toys):
    with holding(toys, "headgate_reader") as reader, holding(toys, "headgate_runner") as runner:
        set_limit(toys, "0 seconds", "idle_age")
        toys.one.call("heartbeat", **HEARTBEAT)
        assert is_ended(toys, reader)
        assert is_there(toys, runner)


def test_a_session_that_fills_the_servers_lock_table_is_ended_too(toys: Toys):
    with holding(toys, "headgate_reader") as reader:
        reader.execute("commit")
        reader.execute("select pg_advisory_lock(n) from generate_series(1, 100) as n")
        toys.one.call("heartbeat", **HEARTBEAT)
        assert is_there(toys, reader), "a hundred are allowed"
        assert wrong(toys.one)["locks of headgate_reader"]["found"] == "100 advisory locks"

        reader.execute("select pg_advisory_lock(101)")
        toys.one.call("heartbeat", **HEARTBEAT)
        assert is_ended(toys, reader)


def test_no_limit_is_for_a_superuser_or_the_owners_people(toys: Toys):
    toys.one.sql("create role trusted login in role headgate_owner, headgate_reader")
    try:
        with holding(toys, "trusted") as trusted, holding(toys, "postgres") as superuser:
            set_limit(toys, "0 seconds")
            toys.one.call("heartbeat", **HEARTBEAT)
            assert is_there(toys, trusted)
            assert is_there(toys, superuser)
    finally:
        toys.one.sql("drop role trusted")


def test_locks_that_keep_others_from_our_tables_are_named_with_who_waits(toys: Toys):
    stranger = toys.another(autocommit=False)
    stranger.sql("lock table headgate.chunks in share row exclusive mode")

    assert (
        "ShareRowExclusiveLock on headgate.chunks" in wrong(toys.one)["locks of postgres"]["found"]
    )
    stranger.connection.rollback()
    assert "locks of postgres" not in wrong(toys.one)
