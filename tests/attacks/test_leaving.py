"""A plan's function, called by the core, tries to reach other schemas; no way succeeds."""

from __future__ import annotations

import psycopg
import pytest

from tests.plan import Plan

ROLE = "headgate_plan_equities"
WAYS = (
    "update headgate.providers set base_url = 'https://thief.test'",
    "insert into headgate.settings values ('mine', '1')",
    "insert into headgate.role_limits values ('headgate_reader', 'connection_limit', '1')",
    "select * from headgate.chunks",
    "select * from pgmq.meta",
    "select pgmq.create('mine')",
    "create table headgate.mine (x integer)",
    "create table public.mine (x integer)",
    "create table maintenance.mine (x integer)",
    "create temporary table mine (x integer)",
    "create schema mine",
    "create function headgate.mine() returns integer language sql return 1",
    "create or replace function headgate.clock() returns timestamptz language sql return now()",
    "create or replace function headgate._step_as_nobody(p_query text, p_pipeline text, p_run_id text)"
    " returns jsonb language sql return null",
    "alter function headgate.clock() reset all",
    "alter function headgate._step_as_nobody(text, text, text) security invoker",
    "alter schema equities owner to headgate_owner",
    "alter table headgate.chunks disable trigger all",
    "create trigger mine after insert on headgate.chunks execute function equities.leave_late()",
    "create rule mine as on insert to headgate._requests do also select 1",
    "alter view headgate._requests alter column caller set default 'headgate_planner'",
    "insert into headgate._requests (caller, function, arguments) values ('headgate_planner', '', '{}')",
    "select headgate._reset_asset(1, null)",
    "select headgate.set_provider('eodhd', '{\"quota\": 1}')",
    "select * from headgate.heartbeat('mine', 'h', 1, '0')",
    "drop schema headgate cascade",
    "set role headgate_owner",
    "set role none",
    "reset role",
    "set session authorization postgres",
    "reset session authorization",
    "set session_replication_role = replica",
    "create role mine",
    "alter role headgate_reader superuser",
    "alter role headgate_runner set default_transaction_read_only = on",
    "alter role headgate_owner login",
    "alter default privileges for role headgate_owner grant all on tables to public",
    "grant headgate_owner to headgate_plan_equities",
    "grant headgate_nobody to headgate_plan_equities",
    "copy (select 1) to program 'true'",
    "copy (select 1) to '/tmp/mine'",
    "select pg_read_file('/etc/passwd')",
    "select lo_import('/etc/passwd')",
    "alter system set jit = on",
    "create event trigger mine on ddl_command_end execute function equities.leave_late()",
    "create publication mine for all tables",
    "create subscription mine connection 'host=thief.test' publication mine with (connect = false)",
    "create foreign data wrapper mine",
    "select pg_terminate_backend(a.pid) from pg_stat_activity as a where a.usename = 'postgres'",
    "vacuum",
    "commit",
)
REFUSED = (
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.ActiveSqlTransaction,  # vacuum: not from a function
    psycopg.errors.FeatureNotSupported,  # commit in dynamic SQL
    psycopg.errors.InvalidTransactionTermination,
)


@pytest.fixture
def leaver(db: Plan) -> Plan:
    """Give the plan a function that runs any given code with the rights of the plan's role."""
    database = db.connection.info.dbname
    db.connection.execute(f'revoke temporary on database "{database}" from public'.encode())
    db.connection.execute(f"set local role {ROLE}".encode())
    db.connection.execute(
        b"create function equities.leave(p_pipeline text, p_run_id text) returns integer"
        b" language plpgsql security definer set search_path = pg_catalog, pg_temp"
        b" as $$ begin execute p_run_id; return 1; end $$"
    )
    db.connection.execute(
        b"create function equities.leave_late() returns trigger language plpgsql"
        b" as $$ begin return null; end $$"
    )
    db.connection.execute(
        b"grant execute on function equities.leave(text, text) to headgate_nobody"
    )
    db.connection.execute("reset role")
    db.connection.execute("set local role headgate_owner")
    return db


@pytest.mark.parametrize("way", WAYS)
def test_no_way_leads_out(leaver: Plan, way: str):
    with pytest.raises(REFUSED), leaver.connection.transaction():
        leaver.sql("select headgate._call_step('equities.leave', 'x', %(way)s)", way=way)


def test_a_plan_s_function_may_create_tables_of_its_own(leaver: Plan):
    leaver.sql(
        "select headgate._call_step('equities.leave', 'x', 'create table equities.mine (x integer)')"
    )


@pytest.mark.parametrize(
    "way", [x for x in WAYS if x.startswith(("update", "select *", "create table"))]
)
def test_a_function_with_its_callers_rights_cannot_leave_either(leaver: Plan, way: str):
    """As an invoker it is not called; if altered between check and call, it has no rights."""
    leaver.connection.execute("reset role")
    leaver.connection.execute("alter function equities.leave(text, text) security invoker")
    leaver.connection.execute("set local role headgate_owner")
    with pytest.raises(REFUSED, match="is not called"), leaver.connection.transaction():
        leaver.sql("select headgate._call_step('equities.leave', 'x', %(way)s)", way=way)
    with pytest.raises(REFUSED, match="permission denied"), leaver.connection.transaction():
        leaver.sql(
            "select headgate._step_as_nobody('select to_jsonb(equities.leave($1, $2))', 'x', %(way)s)",
            way=way,
        )
