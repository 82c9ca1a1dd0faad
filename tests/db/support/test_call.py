"""Functions named in rows are called with exactly the rights of their plan, however they were altered."""

from __future__ import annotations

import psycopg
import pytest

from tests.db.maintenance.test_examine import wrong
from tests.db.toy import Toy

STEAL = "update headgate.providers set base_url = 'https://thief.test', secret_name = 'PATH'"
STOLEN = "select count(*) as n from headgate.providers where secret_name = 'PATH'"
PLAN = "headgate_plan_toy"
KEEP = "toy.keep(jsonb, bigint[], text[])"
WEEKLY = "toy.weekly(bigint, timestamptz, timestamptz)"
STEP = "toy.stroll(text, text)"
DEFINER = "security definer set search_path = pg_catalog, pg_temp"

EVIL_KEEP = f"""
create or replace function toy.keep(p_context jsonb, p_asset_ids bigint[], p_payloads text[])
returns setof headgate.ingest_result language plpgsql %s as $$
begin
    {STEAL};
    return query select row(u, 'success', 1, null, null)::headgate.ingest_result
        from unnest(p_asset_ids) as u;
end; $$
"""
EVIL_WEEKLY = f"""
create or replace function toy.weekly(
    p_asset_id bigint, p_watermark timestamptz, p_now timestamptz
) returns timestamptz language plpgsql volatile %s as $$ begin {STEAL}; return p_now; end; $$
"""
EVIL_STEP = f"""
create or replace function toy.stroll(p_pipeline text, p_run_id text)
returns integer language plpgsql %s as $$ begin {STEAL}; return 1; end; $$
"""


def as_plan(toy: Toy, *statements: str) -> None:
    """Act with the rights of the plan's role, which may do anything with what it owns."""
    toy.connection.execute(f"set local role {PLAN}".encode())
    for statement in statements:
        toy.connection.execute(statement.encode())
    toy.connection.execute("reset role")


def put_step(toy: Toy) -> None:
    """Let the pipeline `within` begin with a function of the plan."""
    as_plan(
        toy,
        "create function toy.stroll(p_pipeline text, p_run_id text) returns integer"
        f" language sql {DEFINER} as 'select 1'",
        "grant execute on function toy.stroll(text, text) to headgate_nobody",
    )
    toy.sql(
        "insert into headgate.pipeline_steps (pipeline_id, step, position, kind, function)"
        " select p.pipeline_id, 'stroll', 9, 'function', 'toy.stroll'"
        " from headgate.pipelines as p where p.name = 'within'"
    )


def run_step(toy: Toy) -> dict[str, object]:
    toy.call("run_pipeline", p_pipeline="within")
    toy.drain()
    (step,) = toy.sql(
        "select s.status, s.output from headgate.process_steps as s where s.step = 'stroll'"
    )
    return step


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (EVIL_KEEP % "", "it is not security definer"),
        (f"alter function {KEEP} security invoker", "it is not security definer"),
        (f"alter function {KEEP} reset all", "its search_path is not pinned"),
        (
            f'alter function {KEEP} set search_path = "$user", public',
            "its search_path is not pinned",
        ),
    ],
)
def test_an_ingest_function_that_is_not_fit_is_refused_and_nobodys_fault(
    toy: Toy, made: str, says: str
):
    toy.add(1)
    toy.begin("a")
    (chunk,) = toy.claim()
    as_plan(toy, made)
    toy.complete(chunk)

    assert toy.sql(STOLEN) == [{"n": 0}]
    (job,) = toy.sql("select d.status, d.reason from headgate.asset_processing_details as d")
    assert job["status"] == "deferred"
    assert f"toy.keep is not called: {says}" in job["reason"]
    assert says in wrong(toy)["function toy.keep"]["found"]


def test_a_function_that_belongs_to_somebody_else_is_refused(toy: Toy):
    toy.add(1)
    toy.begin("a")
    (chunk,) = toy.claim()
    toy.sql(f"alter function {KEEP} owner to postgres")
    toy.complete(chunk)

    (job,) = toy.sql("select d.reason from headgate.asset_processing_details as d")
    assert "it belongs to postgres, not to headgate_plan_toy" in job["reason"]


@pytest.mark.parametrize("kind", ["", DEFINER], ids=["invoker", "definer"])
def test_a_step_function_that_was_made_again_has_no_rights_of_the_core(toy: Toy, kind: str):
    put_step(toy)
    as_plan(toy, EVIL_STEP % kind)
    step = run_step(toy)

    assert step["status"] == "failed"
    assert toy.sql(STOLEN) == [{"n": 0}]


@pytest.mark.parametrize("kind", ["", DEFINER], ids=["invoker", "definer"])
def test_a_due_function_has_the_rights_of_its_plan_too(toy: Toy, kind: str):
    as_plan(toy, EVIL_WEEKLY % kind)
    toy.add(1, universe="inners")

    assert toy.sql(STOLEN) == [{"n": 0}]
    assert toy.scalar("select count(*) from headgate.assets where universe = 'inners'") == 1


def test_defaults_casts_and_triggers_that_are_put_off_have_none_either(toy: Toy):
    """Code that a valid function triggers is evaluated at its call, where nobody has rights."""
    put_step(toy)
    thief = (
        "create function toy.thief() returns integer language plpgsql as"
        f" $$ begin {STEAL}; return 1; end; $$"
    )
    default = (
        "create or replace function toy.stroll(p_pipeline text, p_run_id text, p_x int default toy.thief())"
        f" returns integer language sql {DEFINER} as 'select 1'"
    )
    grants = "grant execute on all functions in schema toy to headgate_nobody"
    as_plan(toy, thief, "drop function toy.stroll(text, text)", default, grants)
    assert "permission denied" in str(run_step(toy)["output"])

    as_plan(
        toy,
        "drop function toy.stroll(text, text, int)",
        "create type toy.odd as enum ('odd')",
        "create function toy.told(toy.odd) returns json language plpgsql as"
        f" $$ begin {STEAL}; return '1'; end; $$",
        "create cast (toy.odd as json) with function toy.told(toy.odd)",
        "create function toy.stroll(p_pipeline text, p_run_id text) returns table (y toy.odd)"
        f" language sql {DEFINER} as 'select ''odd''::toy.odd'",
        grants,
    )
    toy.sql("delete from headgate.process_steps; delete from headgate.process_executions")
    assert "permission denied" in str(run_step(toy)["output"])

    as_plan(
        toy,
        "create table toy.bait (x integer)",
        "create function toy.late() returns trigger language plpgsql as"
        f" $$ begin {STEAL}; return null; end; $$",
        "create constraint trigger late after insert on toy.bait deferrable initially deferred"
        " for each row execute function toy.late()",
        "drop function toy.stroll(text, text)",
        "create function toy.stroll(p_pipeline text, p_run_id text) returns integer"
        f" language sql {DEFINER} as 'insert into toy.bait values (1); select 1'",
        grants,
    )
    toy.sql("delete from headgate.process_steps; delete from headgate.process_executions")
    assert "permission denied" in str(run_step(toy)["output"])
    assert toy.sql(STOLEN) == [{"n": 0}]


def test_headgate_nobody_has_no_rights(toy: Toy):
    toy.connection.execute("set local role headgate_nobody")
    for statement in (
        "select * from headgate.providers",
        "select * from headgate.v_assets",
        "select headgate.clock()",
        "create function headgate.mine() returns integer language sql return 1",
        "create table toy.mine (x integer)",
        "select * from toy.answers",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), toy.connection.transaction():
            toy.connection.execute(statement.encode())
    toy.connection.execute("reset role")


def test_an_address_that_was_changed_by_nobody_who_may_is_named_with_who_had_logged_in(toy: Toy):
    toy.connection.execute("set local session authorization headgate_runner")
    toy.connection.execute("reset session authorization")
    assert "address of shop" not in wrong(toy)
    toy.sql("grant update, select on headgate.providers to headgate_runner")
    toy.connection.execute("set local session authorization headgate_runner")
    toy.connection.execute(
        b"update headgate.providers set base_url = 'https://thief.test' where name = 'shop'"
    )
    toy.connection.execute("reset session authorization")

    found = wrong(toy)["address of shop"]
    assert found["verdict"] == "fail"
    assert "https://thief.test instead of http://shop.test/api" in found["found"]
    assert "changed by headgate_runner on" in found["found"]

    toy.call("set_provider", p_provider="shop", p_changes={"base_url": "https://thief.test"})
    assert "address of shop" not in wrong(toy)
