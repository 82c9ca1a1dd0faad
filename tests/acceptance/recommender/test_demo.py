"""`headgate demo recommender`: a source of its own, both runs, and their results."""

from __future__ import annotations

import os

from headgate.database import connect
from headgate.demo import SERVICE_DEMOS, recommender
from headgate.settings import Settings
from tests.plan import Plan


def test_the_source_is_created_afresh_and_may_only_be_read(small_database: Settings, monkeypatch):
    name = f"headgate_test_source_{os.getpid()}"
    for constant in ("DATABASE", "READER"):
        monkeypatch.setattr(recommender, constant, name)
    make = SERVICE_DEMOS["recommender"].source
    assert make is not None
    try:
        for _ in range(2):
            with make(small_database):
                dsn = os.environ[recommender.DSN]
                with connect(small_database.with_database(name), "test") as connection:
                    plan = Plan(connection)
                    assert plan.scalar("select count(*) from deals") == 498
                    rights = "select distinct privilege_type from information_schema.role_table_grants where grantee = %(r)s"
                    assert plan.sql(rights, r=name) == [{"privilege_type": "SELECT"}]
                assert f"user={name}" in dsn
        assert recommender.DSN not in os.environ
    finally:
        with connect(small_database, "test") as connection:
            plan = Plan(connection)
            plan.sql(f"drop database if exists {name} with (force)")
            plan.sql(f"drop role if exists {name}")
