"""Somebody has stolen the password of a role, and logs in with it: what it allows, and what it does not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from headgate.database import connect, dsn_of
from headgate.worker import name_prefix
from headgate.worker.worker import new_name
from tests.db.conftest import Toys
from tests.db.toy import Toy

REFUSED = psycopg.errors.InsufficientPrivilege
ROLES = ("headgate_planner", "headgate_runner", "headgate_reader")
LOOK = "select count(*) from headgate.v_assets"
TABLE = "select count(*) from headgate.asset_processing_state"
WRITE = "delete from headgate.operator_actions"
ADDRESS = "select headgate.set_provider('shop', '{\"base_url\": \"https://thief.test\"}')"
SECRET = "select headgate.set_provider('shop', '{\"secret_name\": \"PGPASSWORD\"}')"
STORE = (
    "select headgate.set_store('lake', 's3://thief', 'https://thief.test', null, 'TOKEN', 'TOKEN')"
)
PAUSE = "select headgate.pause_pipeline('plain')"
CLAIM = "select headgate.claim_jobs(p_runner => 'thief', p_max_chunks => 1)"
CLOCK = "update headgate.settings set value = 'true' where name = 'test_clock'"
OWNER = "set role headgate_owner"
PROGRAM = "copy (select 1) to program 'true'"
FILE = "select pg_read_file('/etc/passwd')"
PASSWORD = "alter role headgate_planner password 'mine'"
FOR_NOBODY = (TABLE, WRITE, ADDRESS, SECRET, STORE, CLOCK, OWNER, PROGRAM, FILE)
MAY = {
    "headgate_planner": (LOOK, PAUSE, PASSWORD),
    "headgate_runner": (CLAIM,),
    "headgate_reader": (LOOK,),
}


@contextmanager
def stolen(toys: Toys, role: str) -> Iterator[psycopg.Connection[object]]:
    """Log in as a role, from anywhere; nothing that is done is committed."""
    dsn = make_conninfo(dsn_of(toys.settings), user=role)
    settings = replace(toys.settings, dsn=dsn)
    with connect(settings, "elsewhere", autocommit=False) as session:
        session.read_only = False
        yield session
        session.rollback()


@pytest.mark.parametrize("role", ROLES)
def test_a_stolen_password_allows_what_is_written_and_nothing_else(toys: Toys, role: str):
    with stolen(toys, role) as session:
        for statement in (LOOK, PAUSE, CLAIM, PASSWORD, *FOR_NOBODY):
            allowed = True
            try:
                with session.transaction():
                    session.execute(statement.encode())
            except REFUSED:
                allowed = False
            assert allowed == (statement in MAY[role]), statement


def test_nobody_guesses_a_runner_s_name_who_knows_its_machine_and_process():
    names = {new_name() for _ in range(100)}

    assert len(names) == 100
    assert {len(x) - len(name_prefix(os.getpid())) for x in names} == {16}


def test_a_stolen_runner_hands_in_nothing_that_another_holds_without_its_name(toys: Toys):
    toys.one.add(2)
    toys.one.begin()
    (chunk,) = toys.one.claim("an honest runner")
    with stolen(toys, "headgate_runner") as session:
        thief = Toy(session, toys.one.now)  # type: ignore[arg-type]
        with pytest.raises(psycopg.Error) as caught, session.transaction():
            thief.complete(chunk, "failed", runner="thief")
        assert (caught.value.sqlstate or "")[:2] == "HG"

    toys.one.complete(chunk, runner="an honest runner")
    assert toys.one.endings() == {"success": 2}
