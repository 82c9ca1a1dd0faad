"""Locks are rows that only the owner may touch, so no other role can hold up what they protect."""

from __future__ import annotations

import re
from functools import partial

import psycopg
import pytest

from tests.db.conftest import Toys
from tests.db.together import meanwhile, waits
from tests.servers import DB

LOCK = "select headgate._lock(p_name => 'a', p_is_shared => %(is_shared)s)"
TRY = "select headgate._try_lock(p_name => 'a') as took"
ROOT = DB.parent
SOURCES = (*DB.glob("functions/**/*.sql"), *DB.glob("plans/**/*.sql"), *ROOT.glob("runner/**/*.py"))


@pytest.mark.parametrize("first", [True, False], ids=["shared", "exclusive"])
@pytest.mark.parametrize("second", [True, False], ids=["shared", "exclusive"])
@pytest.mark.parametrize("is_known", [True, False], ids=["known", "new"])
def test_only_shared_locks_are_held_together(toys: Toys, first: bool, second: bool, is_known: bool):
    holder, caller = toys.another(autocommit=False), toys.another()
    if is_known:
        toys.one.sql(LOCK, is_shared=False)
    holder.sql(LOCK, is_shared=first)
    with meanwhile(partial(caller.sql, LOCK, is_shared=second), caller, toys.one) as answers:
        must_wait = waits(caller, toys.one, answers)
        holder.connection.commit()

    assert must_wait == (not (first and second and is_known))
    assert not any(isinstance(x, psycopg.Error) for x in answers)


def test_a_lock_that_is_held_is_not_waited_for_where_it_is_tried(toys: Toys):
    holder, caller = toys.another(autocommit=False), toys.another()

    assert caller.scalar(TRY), "the first one makes it"
    assert holder.scalar(TRY)
    assert not caller.scalar(TRY)
    holder.connection.commit()
    assert caller.scalar(TRY)


def test_a_reader_s_advisory_locks_hold_up_nobody(toys: Toys):
    reader = toys.another()
    reader.connection.execute("set session authorization headgate_reader")
    reader.connection.execute("set statement_timeout = 0")
    reader.connection.execute(
        "select pg_advisory_lock(hashtext('headgate.' || name), n)"
        " from unnest(array['planner', 'execution', 'start', 'advance', 'step']) as u (name)"
        " cross join generate_series(0, 20) as n"
    )
    reader.connection.execute("select pg_advisory_lock(hashtext('headgate.needs'))")

    planner = toys.another()
    planner.connection.execute("set statement_timeout = '60s'")
    planner.add(3)
    planner.begin()
    assert planner.drain() == 3
    assert planner.finish()["status"] == "succeeded"


def test_nothing_takes_an_advisory_lock():
    assert [
        str(x)
        for x in SOURCES
        if re.search(r"advisory_(xact_lock|lock|unlock)[a-z_]*\(", x.read_text())
    ] == []


def test_no_role_that_logs_in_may_lock_a_row_or_a_table_of_ours(toys: Toys):
    relations = toys.one.sql(
        "select c.oid::regclass::text as name from pg_class as c"
        " where c.relnamespace = 'headgate'::regnamespace and c.relkind in ('r', 'p', 'v')"
    )
    taken = []
    for role in ("headgate_reader", "headgate_runner", "headgate_planner"):
        session = toys.another()
        session.connection.execute(f"set session authorization {role}".encode())
        session.connection.execute("set default_transaction_read_only = off")
        for row in relations:
            for statement in ("select from {} for key share", "lock table {} in row share mode"):
                try:
                    session.connection.execute(statement.format(row["name"]).encode())
                    taken.append(f"{role}: {statement.format(row['name'])}")
                except psycopg.Error:
                    pass

    assert taken == []
