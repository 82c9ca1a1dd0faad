"""Who may read and call what: each role's work, and nothing else."""

from __future__ import annotations

from typing import LiteralString

import psycopg
import pytest
from psycopg import sql

from tests.plan import Plan

ROLES = ("headgate_planner", "headgate_runner", "headgate_reader")
RELATIONS: LiteralString = """
    select n.nspname || '.' || c.relname as name, c.relkind = 'v' as is_view
    from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v') and n.nspname in ('headgate', 'headgate_bi', 'equities', 'pgmq')
"""
FUNCTIONS: LiteralString = """
    select p.oid::regprocedure::text as name, p.proname, n.nspname, p.provolatile
    from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace
    where n.nspname = 'headgate' or pg_get_userbyid(n.nspowner) like 'headgate\\_plan\\_%'
"""
RUNNERS = {
    *(
        "claim_jobs",
        "complete_jobs",
        "advance_executions",
        "extend_leases",
        "release_jobs",
        "lose_lease",
        "take_starts",
        "look_up_answers",
        "heartbeat",
        "keep_counts",
        "keep_history",
        "end_runner",
    ),
    *("clock", "in_words"),
}
RUNNERS |= {
    "applied_files",
    "check_queues",
    "require_protocol",
    "require_fit",
    "take_store",
    "remove_keys",
    "forget_keys",
    "find_artifacts",
    "expire_artifacts",
    "open_changes",
    "read_changes",
    "prepare_changes",
    "read_slot",
}
HANDLERS_INPUTS: LiteralString = """
    select distinct split_part(input_function, '.', 2) as name from headgate.operations
    where input_function is not null
"""
PLANNING = {"start_execution", "discover_delta", "check_quota", "enqueue_step", "step_status"}
WRITES = ("insert", "update", "delete", "truncate", "references", "trigger")


@pytest.mark.parametrize("role", ROLES)
def test_only_the_owner_writes_or_reads_a_table_of_the_core(db: Plan, role: str):
    for relation in db.sql(RELATIONS):
        held = {x for x in ("select", *WRITES) if _may(db, "table", role, relation["name"], x)}
        readable = relation["is_view"] or relation["name"].startswith("equities.")

        assert held <= ({"select"} if readable and role != "headgate_runner" else set()), relation


@pytest.mark.parametrize("role", ["headgate_planner", "headgate_reader"])
def test_planner_and_reader_may_read_every_view(db: Plan, role: str):
    views = [x["name"] for x in db.sql(RELATIONS) if ".v_" in x["name"]]
    db.connection.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
    for view in views:
        schema, name = view.split(".")
        query = sql.SQL("select * from {} limit 3").format(sql.Identifier(schema, name))
        db.connection.execute(query)

    assert len(views) >= 15


@pytest.mark.parametrize("table", ["prices", "prices_quarantine", "fundamentals"])
def test_reader_may_read_what_the_plan_publishes(db: Plan, table: str):
    db.sql("set local role headgate_reader")
    db.connection.execute(
        sql.SQL("select count(*) from {}").format(sql.Identifier("equities", table))
    )
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        db.connection.execute(sql.SQL("delete from {}").format(sql.Identifier("equities", table)))


def test_reader_sees_the_progress_and_the_plan(db: Plan):
    db.sql("set local role headgate_reader")
    db.sql("set local transaction_read_only = on")

    assert db.row("equities.get_processing_progress")["total_assets"] == 21_817
    assert db.call("explain_summary", p_pipeline="data_collection_equities")


def test_a_role_may_call_its_functions_and_no_others(db: Plan):
    allowed = {
        role: {x["name"] for x in db.sql(FUNCTIONS) if _may(db, "function", role, x["name"])}
        for role in ROLES
    }
    by_name = {x["name"]: x for x in db.sql(FUNCTIONS)}
    plain = {y: {by_name[x]["proname"] for x in allowed[y]} for y in ROLES}

    inputs = {x["name"] for x in db.sql(HANDLERS_INPUTS)}
    assert plain["headgate_runner"] == RUNNERS | inputs
    assert plain["headgate_planner"] >= PLANNING
    assert not plain["headgate_planner"] & (
        RUNNERS - {"applied_files", "clock", "in_words", "require_fit"}
    )
    assert {"explain_plan", "get_processing_progress"} <= plain["headgate_reader"]
    assert all(by_name[x]["provolatile"] != "v" for x in allowed["headgate_reader"])
    assert not any(x.startswith(("_", "ingest_")) for y in plain.values() for x in y)


def test_the_public_may_nothing(db: Plan):
    db.sql("create role nobody_in_particular")

    assert not any(
        _may(db, "function", "nobody_in_particular", x["name"]) for x in db.sql(FUNCTIONS)
    )
    assert not any(
        _may(db, "table", "nobody_in_particular", x["name"], "select")
        for x in db.sql(RELATIONS)
        if not x["name"].startswith("pgmq.")
    )


def test_a_plan_reads_the_core_through_its_views_alone(db: Plan):
    role = "headgate_plan_equities"
    readable = {
        x["name"]
        for x in db.sql(RELATIONS)
        if x["name"].startswith("headgate.") and _may(db, "table", role, x["name"], "select")
    }

    assert readable == {x["name"] for x in db.sql(RELATIONS) if x["name"].startswith("headgate.v_")}


def test_a_dashboard_cannot_hold_the_queue_back(db: Plan):
    rows = db.sql("select rolname, rolconfig from pg_roles where rolname = any (%(x)s)", x=[*ROLES])
    settings = {x["rolname"]: dict(y.split("=") for y in x["rolconfig"]) for x in rows}

    assert settings["headgate_reader"].keys() >= {
        "statement_timeout",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
    }
    assert settings["headgate_reader"]["default_transaction_read_only"] == "on"
    assert all("idle_in_transaction_session_timeout" in settings[x] for x in ROLES)


def _may(db: Plan, kind: str, role: str, name: str, right: str = "execute") -> bool:
    has = sql.Identifier(f"has_{kind}_privilege")
    query = sql.SQL("select {}(%s, %s, %s) as may").format(has)
    row = db.connection.execute(query, (role, name, right)).fetchone()
    assert row is not None
    return bool(row["may"])
