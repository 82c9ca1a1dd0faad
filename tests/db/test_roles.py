"""Every role tries every table, view and function: it can do its work, and nothing else.

tests/db/views/test_rights.py checks the granted rights; here each role really tries, one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import sql

from headgate.database import connect
from headgate.settings import Settings
from tests.plan import Plan, Row

PLAN_ROLES = ("headgate_plan_equities", "headgate_plan_maintenance")
LOGINS = ("headgate_planner", "headgate_runner", "headgate_reader")
ROLES = (*LOGINS, *PLAN_ROLES)
SCHEMAS = "'headgate', 'headgate_bi', 'equities', 'equities_bi', 'maintenance', 'pgmq'"
RELATIONS = f"""
    select n.nspname::text as schema, c.relname::text as name, c.relkind::text as kind,
        (select a.attname::text from pg_attribute as a
            where a.attrelid = c.oid and a.attnum > 0 and a.attgenerated = ''
            order by a.attnum desc limit 1) as last_column
    from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'S') and n.nspname in ({SCHEMAS})
    order by 1, 2
"""
FUNCTIONS = f"""
    select n.nspname::text as schema, p.proname::text as name, p.oid::regprocedure::text as signature,
        p.prorettype = 'headgate.ingest_result'::regtype as is_ingest,
        exists (
            select from headgate.operations as o where o.input_function = n.nspname || '.' || p.proname
        ) as is_input, p.provolatile::text as volatile,
        array(
            select format_type(t.type, null)
            from unnest(p.proargtypes) with ordinality as t (type, nth) order by t.nth
        ) as types
    from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace
    where n.nspname in ({SCHEMAS}) and p.prokind = 'f' and p.prorettype <> 'trigger'::regtype
    order by 1, 2
"""
EVERYBODY = {"applied_files", "clock", "in_words"}
PLANS_WORK = {
    *("ask_again", "clock", "cover_groups", "database_health", "find_asset", "in_words"),
    "plan_metrics",
    "published_at",
    *("notify", "raise_alert"),
    *("reconcile_quota", "rename_asset", "reset_asset", "resolve_alert", "set_asset_active"),
    *("run_checks", "step_output", "take_pages", "trust_bulk", "upsert_assets"),
    "is_allowed",
    "waiting_changes",
}
WORK = {
    "headgate_runner": {
        "claim_jobs",
        "complete_jobs",
        "advance_executions",
        "extend_leases",
        "release_jobs",
        "lose_lease",
        "check_queues",
        "require_protocol",
        "take_starts",
        "look_up_answers",
        "heartbeat",
        "keep_counts",
        "keep_history",
        "end_runner",
        "require_fit",
        "read_notices",
        *("take_store", "remove_keys", "forget_keys", "find_artifacts", "expire_artifacts"),
        *("open_changes", "read_changes", "prepare_changes", "read_slot"),
    }
    | EVERYBODY,
    "headgate_reader": {
        "forecast",
        "explain_plan",
        "explain_quota",
        "explain_steps",
        "explain_summary",
        "explain_totals",
        "explain_asset_day",
        "why",
        *("asset_decisions", "find_asset", "find_assets"),
        "find_group",
        *("run_log", "run_reasons"),
        *("database_health", "plan_metrics"),
        "waiting_changes",
        "check_run",
        "next_actions",
        "run_parameters",
        "dated_pipelines",
        "execution_counts",
        "step_output",
        "is_allowed",
    }
    | EVERYBODY,
    "headgate_planner": {
        "notify",
        *(
            "run_parameters",
            "dated_pipelines",
            "execution_groups",
            "execution_id",
            "execution_counts",
        ),
        *("alert_run", "require_fit"),
        *("start_execution", "discover_delta", "check_quota", "enqueue_step", "step_status"),
        *("execution_status", "finalize_execution", "run_pipeline", "trigger_pipeline", "forecast"),
        *(
            "backfill",
            "cancel_execution",
            "retry_failed",
            "rerun_step",
            "skip_step",
            "pause_pipeline",
            "resume_pipeline",
        ),
        *("explain_asset_day", "explain_plan", "explain_quota", "explain_steps"),
        *("explain_summary", "explain_totals", "why"),
        *(
            "mark_step",
            "open_runs",
            "failed_steps",
            "end_run",
            *("asset_decisions", "find_asset", "find_assets"),
            "find_group",
            *("run_log", "run_reasons"),
            "upsert_assets",
            "set_asset_active",
            "cover_groups",
        ),
        *(
            "set_provider",
            "set_pool",
            "set_check",
            "run_checks",
            "reset_asset",
            "retain",
            "reconcile_quota",
            "required_secrets",
        ),
        *("announce_order", "begin_step", "report_step", "step_errors", "maintain_history"),
        *(
            "maintain_statistics",
            "check_health",
            "database_health",
            "plan_metrics",
            "examine",
            "repair",
        ),
        "waiting_changes",
        *("check_run", "next_actions", "hear_dags", "start_obstacle"),
        *("preview_request", "try_answer", "charge_call", "step_output", "is_allowed"),
        *EVERYBODY,
    },
    **{x: PLANS_WORK for x in PLAN_ROLES},
}
"""Functions of the core that belong to a role's work."""

REFUSED_FOR_OTHER_REASONS = (
    psycopg.errors.WrongObjectType,  # a view is not a table
    psycopg.errors.ObjectNotInPrerequisiteState,  # and it cannot be written
)


@pytest.fixture
def db(small_db: Plan) -> Plan:
    """What a role may do does not depend on how many listings there are."""
    return small_db


@pytest.mark.parametrize("role", ROLES)
def test_a_role_reads_what_its_work_needs_and_writes_nothing_itself(db: Plan, role: str):
    relations = db.sql(RELATIONS)
    with acting_as(db, role):
        read = {x["schema"] + "." + x["name"] for x in relations if may_read(db, x)}
        written = {x["schema"] + "." + x["name"] for x in relations if may_write(db, x)}
    own = role.removeprefix("headgate_plan_")
    own_schemas = (f"{own}.", f"{own}_bi.")

    assert read == {x["schema"] + "." + x["name"] for x in relations if is_readable(x, role)}
    asks = {"headgate._requests"} if role == "headgate_planner" or role in PLAN_ROLES else set()
    assert {x for x in written if not x.startswith(own_schemas)} == asks
    assert len(relations) > 60


@pytest.mark.parametrize("role", ROLES)
def test_a_role_calls_the_functions_of_its_work_and_no_others(db: Plan, role: str):
    functions = db.sql(FUNCTIONS)
    with acting_as(db, role):
        called = {(x["schema"], x["name"]) for x in functions if may_call(db, x)}

    assert {y for x, y in called if x == "headgate"} == WORK[role] & {x["name"] for x in functions}
    assert {y for x, y in called if x == "equities"} == {
        x["name"] for x in functions if x["schema"] == "equities" and is_callable(x, role)
    }
    assert not any(x == "pgmq" for x, _ in called)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    "statement",
    [
        "create table headgate.mine (x integer)",
        "create table public.mine (x integer)",
        "create schema mine",
        "create function headgate.mine() returns integer language sql return 1",
        "create role mine",
        "alter role headgate_reader superuser",
        "set role headgate_owner",
        "set role postgres",
        "set session_replication_role = replica",
        "copy (select 1) to '/tmp/mine'",
        "copy (select 1) to program 'true'",
        "select pg_read_file('/etc/passwd')",
        "alter function headgate.clock() reset all",
        "alter table headgate.chunks disable trigger all",
        "grant headgate_owner to headgate_runner",
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'postgres'",
    ],
)
def test_no_role_of_ours_gains_rights_by_another_way(db: Plan, role: str, statement: str):
    if statement.startswith("set role"):
        statement = f"select pg_has_role(current_user, '{statement.split()[-1]}', 'member') as may"
    with acting_as(db, role):
        try:
            with db.connection.transaction():
                rows = db.connection.execute(statement.encode())
                assert "select pg_has_role" in statement and rows.fetchone() == {"may": False}
        except psycopg.errors.InsufficientPrivilege:
            pass


@pytest.mark.parametrize("role", ROLES)
def test_a_role_makes_no_temporary_tables(template: Settings, role: str):
    with connect(template, "test") as connection:
        connection.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("create temporary table mine (x integer)")


def test_no_statement_is_compiled(template: Settings):
    """With JIT, compiling a completion's statements takes seconds; running them takes milliseconds."""
    with connect(template, "test") as connection:
        assert connection.execute("show jit").fetchone() == {"jit": "off"}


def test_only_the_owner_says_where_a_secret_is_sent(db: Plan):
    for change in ({"base_url": "https://thief.test"}, {"secret_name": "PATH"}):
        with (
            logged_in_as(db, "headgate_planner"),
            pytest.raises(psycopg.errors.InsufficientPrivilege) as caught,
        ):
            with db.connection.transaction():
                db.call("set_provider", p_provider="eodhd", p_changes=change)
        assert caught.value.diag.message_hint

    with logged_in_as(db, "headgate_planner"):
        assert db.value("set_provider", p_provider="eodhd", p_changes={"quota": 7}) == 1
    assert (
        db.value("set_provider", p_provider="eodhd", p_changes={"base_url": "https://new.test"})
        == 1
    )


def test_no_role_owns_or_inherits_more_than_it_must(db: Plan):
    rows = db.sql(
        "select r.rolname::text as name, r.rolcanlogin, r.rolsuper or r.rolcreatedb or r.rolcreaterole"
        " or r.rolreplication and r.rolname <> 'headgate_owner' or r.rolbypassrls as is_mighty, array(select m.roleid::regrole::text"
        " from pg_auth_members as m where m.member = r.oid order by 1) as member_of"
        " from pg_roles as r where r.rolname like 'headgate%%' and r.rolname !~ 'test'".replace(
            "%%", "%"
        )
    )
    found = {x["name"]: x for x in rows}

    assert not any(x["is_mighty"] for x in rows)
    assert {x["name"] for x in rows if x["rolcanlogin"]} == set(LOGINS)
    assert all(found[x]["member_of"] == [] for x in ROLES)


def is_readable(relation: Row, role: str) -> bool:
    schema, name, kind = relation["schema"], relation["name"], relation["kind"]
    if role == f"headgate_plan_{schema.removesuffix('_bi')}":
        return True
    if role == "headgate_runner" or schema == "pgmq" or kind == "S":
        return False
    if schema == "headgate":
        return bool(kind == "v") and not name.startswith("_")
    is_published = not name.startswith("_") and not is_partition(name)
    return role in ("headgate_planner", "headgate_reader") and is_published


def is_partition(name: str) -> bool:
    return name.startswith("prices_") and name != "prices_quarantine"


def is_callable(function: Row, role: str) -> bool:
    if role == "headgate_plan_equities":
        return True
    if function["name"].startswith("_") or function["is_ingest"]:
        return False
    if role == "headgate_runner":
        return bool(function["is_input"])
    return role == "headgate_planner" or (role == "headgate_reader" and function["volatile"] != "v")


def may_read(db: Plan, relation: Row) -> bool:
    name = sql.Identifier(relation["schema"], relation["name"])
    return is_allowed(db, sql.SQL("select * from {} limit 1").format(name))


def may_write(db: Plan, relation: Row) -> bool:
    """Try all ways of writing, one after the other; none of them touches a row."""
    if relation["kind"] == "S":
        return is_allowed(
            db,
            sql.SQL("select nextval({})").format(
                sql.Literal(f"{relation['schema']}.{relation['name']}")
            ),
        )
    name = sql.Identifier(relation["schema"], relation["name"])
    column = sql.Identifier(relation["last_column"])
    ways = (
        sql.SQL("insert into {} default values").format(name),
        sql.SQL("update {} set {} = null where false").format(name, column),
        sql.SQL("delete from {} where false").format(name),
        sql.SQL("truncate {}").format(name),
        sql.SQL("lock table {} in share row exclusive mode").format(name),
        sql.SQL("alter table {} set (fillfactor = 10)").format(name),
        sql.SQL("drop table {}").format(name),
    )
    return any(is_allowed(db, x, but=REFUSED_FOR_OTHER_REASONS) for x in ways)


def may_call(db: Plan, function: Row) -> bool:
    """Call it with nulls; only whether the call is permitted matters, not its result."""
    nulls = sql.SQL(", ").join(
        sql.SQL("(select null::{})").format(sql.SQL(x)) for x in function["types"]
    )
    name = sql.Identifier(function["schema"], function["name"])
    return is_allowed(db, sql.SQL("select * from {}({})").format(name, nulls), function["name"])


def is_allowed(
    db: Plan, query: sql.Composed, function: str = "", but: tuple[type[psycopg.Error], ...] = ()
) -> bool:
    """Return whether the server permitted the call; its effects are undone."""
    try:
        with db.connection.transaction(force_rollback=True):
            db.connection.execute(query)
    except psycopg.errors.InsufficientPrivilege as exc:
        said = exc.diag.message_primary or ""
        return (
            bool(function)
            and said.startswith("permission denied for")
            and not (
                said.startswith(f"permission denied for function {function}")
                or said.startswith("permission denied for schema")
            )
        )
    except psycopg.Error as exc:
        return not isinstance(exc, but)
    return True


@contextmanager
def acting_as(db: Plan, role: str) -> Iterator[None]:
    db.connection.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
    yield
    db.connection.execute("reset role")


@contextmanager
def logged_in_as(db: Plan, role: str) -> Iterator[None]:
    db.connection.execute(
        sql.SQL("set local session authorization {}").format(sql.Identifier(role))
    )
    yield
    db.connection.execute("reset session authorization")
