"""The database's health: what is measured, who may read it, and when it warns."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from psycopg import Connection, sql
from psycopg.rows import DictRow

from headgate.database import connect
from headgate.settings import Settings
from tests.plan import Plan, Row


@pytest.fixture
def other(database: Settings) -> Iterator[Connection[DictRow]]:
    """Another session of the same database, in a transaction of its own."""
    with connect(database, "other", autocommit=False) as connection:
        yield connection
        connection.rollback()


def health(plan: Plan) -> dict[str, Row]:
    """Return the view's rows by measure."""
    plan.sql("select pg_stat_force_next_flush()")
    return {x["measure"]: x for x in plan.sql("select * from headgate.v_database_health")}


def test_a_quiet_database_is_calm(plan: Plan):
    found = health(plan)

    assert {x["verdict"] for x in found.values()} == {"ok"}, found
    assert found.keys() >= {
        "oldest_xmin_transactions",
        "longest_transaction_seconds",
        "dead_rows_in_queues",
        "queue_bloat_megabytes",
        "connections_percent",
    }
    assert all(x["value"] <= x["threshold"] for x in found.values())


def test_an_old_snapshot_is_measured_in_seconds_and_in_transactions(
    plan: Plan, other: Connection[DictRow]
):
    other.execute("set transaction isolation level repeatable read")
    other.execute("select 1")
    for _ in range(20):
        plan.sql("select pg_current_xact_id()")
    time.sleep(0.3)

    found = health(plan)
    assert found["oldest_xmin_transactions"]["value"] >= 20
    assert found["longest_transaction_seconds"]["value"] >= 0.3


def test_dead_messages_that_nothing_may_clean_away_are_reported(
    plan: Plan, other: Connection[DictRow]
):
    other.execute("set transaction isolation level repeatable read")
    other.execute("select 1")
    plan.sql(
        "select pgmq.send_batch('local_low', array(select '{}'::jsonb from generate_series(1, 100001)))"
    )
    plan.sql("delete from pgmq.q_local_low")

    found = health(plan)
    assert found["dead_rows_in_queues"]["verdict"] == "warn"
    assert found["dead_rows_in_queues"]["value"] > 100_000


def test_history_of_a_month_without_a_partition_is_reported(plan: Plan):
    plan.sql(
        "insert into headgate.asset_processing_details"
        " (execution_id, asset_id, operation_id, round, step, status, ended_at)"
        " values (1, 1, 1, 1, 'a', 'success', '1999-01-01')"
    )

    assert health(plan)["history_outside_its_months"]["verdict"] == "warn"


@pytest.mark.parametrize("role", ["headgate_planner", "headgate_reader"])
def test_a_dashboard_sees_the_age_of_others_and_not_what_they_say(
    plan: Plan, other: Connection[DictRow], role: str
):
    other.execute("set transaction isolation level repeatable read")
    other.execute("select 'canary' as said")
    plan.connection.execute(sql.SQL("set role {}").format(sql.Identifier(role)))

    found = {x["measure"]: x for x in plan.sql("select * from headgate.v_database_health")}
    assert found["longest_transaction_seconds"]["value"] is not None
    assert (
        plan.sql(
            "select 1 from pg_stat_activity where query like '%canary%as said%'"
            " and pid <> pg_backend_pid()"
        )
        == []
    )


def test_every_measure_says_what_to_do(plan: Plan):
    assert [x for x in plan.call("database_health") if not x["advice"]] == []


def test_hot_tables_and_queues_are_vacuumed_by_number_not_by_share(db: Plan):
    options = {
        x["name"]: dict(y.split("=") for y in x["reloptions"] or [])
        for x in db.sql(
            "select c.relname::text as name, c.reloptions from pg_class as c"
            " where c.relkind = 'r' and (c.relnamespace = 'pgmq'::regnamespace and c.relname like 'q\\_%'"
            " or c.relname in ('chunks', 'breakers', 'rate_limiters', 'quota_windows', 'process_steps'))"
        )
    }

    assert len(options) >= 10
    for name, found in options.items():
        assert int(found["fillfactor"]) <= 70, name
        assert found["autovacuum_vacuum_scale_factor"] == "0", name
        assert int(found["autovacuum_vacuum_threshold"]) <= 5000, name


def test_reading_a_message_touches_no_index(plan: Plan):
    """PostgreSQL counts it: an update that found room in its page and changed no index."""
    plan.sql(
        "alter table pgmq.q_local_low set (autovacuum_enabled = off)"
    )  # its snapshot keeps rows
    plan.sql(
        "select pgmq.send_batch('local_low', array(select '{}'::jsonb from generate_series(1, 500)))"
    )
    for _ in range(5):
        plan.sql("select * from pgmq.read('local_low', 0, 500)")
    plan.sql("select pg_stat_force_next_flush()")

    (found,) = plan.sql(
        "select n_tup_upd as updated, n_tup_hot_upd as hot from pg_stat_user_tables where relname = 'q_local_low'"
    )
    assert found["updated"] == 2500
    assert found["hot"] > 0.9 * found["updated"]


def test_history_and_prices_are_partitioned(db: Plan):
    rows = db.sql(
        "select p.partrelid::regclass::text as name, count(i.inhrelid) as parts from pg_partitioned_table as p"
        " join pg_inherits as i on i.inhparent = p.partrelid group by 1"
    )
    parts = {x["name"]: x["parts"] for x in rows}

    assert parts["headgate.asset_processing_details"] >= 5
    assert parts["equities.prices"] >= 30
