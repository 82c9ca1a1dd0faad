"""The handler vacuum removes dead rows with a way into the database of its own, or says that it did not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from psycopg.conninfo import make_conninfo

from headgate.database import dsn_of
from headgate.errors import WrongPlan
from headgate.handlers.contract import Chunk, Result
from headgate.handlers.vacuum import vacuum
from headgate.settings import Settings
from tests.plan import Plan
from tests.runner.conftest import core_database, core_plan

__all__ = ["core_database", "core_plan"]

OPTIONS = {"dsn": "TEST_OWNER_DSN", "schemas": ["shop"]}


def run(**options: Any) -> Result:
    """Run the handler for the operation's only asset."""
    return vacuum(
        Chunk(
            asset_ids=np.array([4]),
            codes=["shop"],
            watermarks=np.array([None], "datetime64[us]"),
            parameters={},
            now=datetime.now(UTC),
            columns={},
            values={},
            lengths=np.array([0]),
            options=OPTIONS | options,
        )
    )


@pytest.fixture
def shop(core_database: Settings, core_plan: Plan, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Make a schema of two tables, one with dead rows."""
    core_plan.connection.execute(
        'create schema shop; create table shop."Items" as select 1; create table shop.sold as select 2;'
    )
    core_plan.connection.execute("delete from shop.sold")
    monkeypatch.setenv("TEST_OWNER_DSN", dsn_of(core_database))
    return core_plan


def vacuumed(plan: Plan) -> list[int]:
    """Return how often each table was vacuumed by hand."""
    rows = plan.sql(
        "select vacuum_count from pg_stat_user_tables where schemaname = 'shop' order by relname"
    )
    return [x["vacuum_count"] for x in rows]


def test_all_tables_of_the_schemas_are_vacuumed(shop: Plan):
    assert run() == Result(output={4: {"vacuumed": 2}})
    assert vacuumed(shop) == [1, 1]


def test_a_role_without_the_right_fails_by_name_of_the_table(
    shop: Plan, core_database: Settings, monkeypatch: pytest.MonkeyPatch
):
    shop.connection.execute("grant usage on schema shop to headgate_reader")
    limited = make_conninfo(dsn_of(core_database), options="-c role=headgate_reader")
    monkeypatch.setenv("TEST_OWNER_DSN", limited)

    said = run().failed[4]

    assert '"Items"' in said and '"sold"' in said and "permission denied" in said
    assert vacuumed(shop) == [0, 0]


def test_without_its_variable_the_vacuum_says_that_nothing_was_done(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.delenv("TEST_OWNER_DSN", raising=False)

    said = run()

    assert said.skipped == {4: "TEST_OWNER_DSN is not set: dead rows are left to autovacuum"}
    assert said.output == {4: {"vacuumed": 0}}


def test_a_server_that_is_gone_is_tried_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TEST_OWNER_DSN", "host=127.0.0.1 port=1 dbname=x")

    assert run().retry[4].startswith("the database of TEST_OWNER_DSN: ")


@pytest.mark.parametrize("options", [{"schemas": []}, {"dsn": ""}, {"tables": ["a"]}])
def test_mistaken_options_are_a_mistake_of_the_plan(options: dict[str, Any]):
    with pytest.raises(WrongPlan, match="vacuum needs the options"):
        run(**options)
