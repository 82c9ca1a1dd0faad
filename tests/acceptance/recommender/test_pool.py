"""[R3] Concurrent trainings and an extraction: the pool's two slots are never exceeded, waiting jobs are listed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from headgate.database import connect
from headgate.worker.worker import work
from tests.acceptance.recommender.conftest import World
from tests.limits import PATIENCE
from tests.plan import Plan

POOL = "ml_training_pool"
TRAINING = "recommender_training_pipeline"
EXTRACTION = "noblestride_integration_pipeline"
TRAININGS = tuple(f"training_{x}" for x in ("a", "b", "c", "d"))

FUNCTIONS = """
set role headgate_plan_recommender;
create table recommender.trained (pipeline text, ndcg_at_10 float8, ndcg_of_popularity float8);
create function recommender.read_when_told(p_context jsonb, p_asset_ids bigint[])
returns table (asset_id bigint, user_id bigint[], item_id bigint[], is_feature boolean[])
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $func$
begin
    perform pg_advisory_xact_lock_shared(14);
    return query select * from recommender.read_interactions(p_context, p_asset_ids);
end;
$func$;

create function recommender.keep_trained(p_context jsonb, p_asset_ids bigint[], p_rows recommender.trained_row[])
returns setof headgate.ingest_result
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $func$
begin
    insert into recommender.trained
    select p_context ->> 'pipeline', (f.figures ->> 'ndcg_at_10')::float8,
        (f.figures ->> 'popularity_ndcg_at_10')::float8
    from (select jsonb_object_agg(r.figure, r.value) from unnest(p_rows) as r where r.figure <> '') as f (figures);
    return query select p_asset_ids[1], 'success', 1, null::timestamptz, null::text;
end;
$func$;

grant execute on function recommender.read_when_told to headgate_runner;
grant execute on function recommender.keep_trained to headgate_nobody;
reset role;
create table public.seen (used integer);

create function public.see_slots() returns trigger
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $func$
begin
    insert into public.seen select p.used from headgate.v_pools as p where p.pool = 'ml_training_pool';
    return null;
end;
$func$;
create trigger see_slots after insert or update on headgate.chunks
for each statement execute function public.see_slots();
"""

PLAN = """
do $do$
begin
    perform headgate.begin_plan('site');
    for i in 1..4 loop
        perform headgate.put_operation(
            'train_' || n.name, due => 'run', pool => 'ml_training_pool', handler => 'recommender',
            input_function => 'recommender.read_when_told', ingest_function => 'recommender.keep_trained'
        ), headgate.put_pipeline('training_' || n.name), headgate.put_step(
            'training_' || n.name, 'initialize_execution', function => 'headgate.start_execution'
        ), headgate.put_step(
            'training_' || n.name, 'train', operations => array['train_' || n.name],
            depends_on => '{initialize_execution}'
        ), headgate.put_step(
            'training_' || n.name, 'finalize_execution', function => 'headgate.finalize_execution',
            depends_on => '{train}', trigger_rule => 'all_done'
        )
        from (select substr('abcd', i, 1)) as n (name);
    end loop;
    perform headgate.end_plan();
end;
$do$
"""


@pytest.fixture
def busy(world: World) -> Iterator[Plan]:
    """Start four more trainings in the pool, which continue once the lock is released."""
    world.plan.sql(FUNCTIONS)
    world.plan.sql(PLAN)
    with connect(world.settings, "test") as connection:
        yield Plan(connection)


async def test_r3_trainings_and_an_extraction_never_take_more_than_two_slots_and_who_waits_is_shown(
    world: World, busy: Plan
):
    await world.run(TRAINING)
    busy.sql("select pg_advisory_lock(14)")
    for pipeline in TRAININGS:
        world.plan.call("run_pipeline", p_pipeline=pipeline, p_run_id="r")
    world.plan.call("run_pipeline", p_pipeline=EXTRACTION, p_run_id="r")

    async def is_over() -> bool:
        open_runs = "select run_id from headgate.v_recent_executions where finished_at is null"
        return not world.plan.sql(open_runs)

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as runners:
        for _ in range(2):
            runners.create_task(work(world.settings, until=is_over, processes=2))
        while sum(taken := slots(world.plan)) < 5 or taken[0] < 2:
            assert not await is_over(), world.errors("r")
            await asyncio.sleep(0.05)
        waiting = world.plan.sql(
            "select pipeline, step, jobs from headgate.v_waiting where reason like %(r)s",
            r=f"%{POOL}%",
        )
        busy.sql("select pg_advisory_unlock(14)")

    assert world.errors("r") == []
    assert taken == (2, 3)
    assert len(waiting) == 3
    assert {"pipeline": EXTRACTION, "step": "list_tables", "jobs": 1} in waiting
    assert {x["step"] for x in waiting} == {"train", "list_tables"}
    trained = world.plan.sql("select * from recommender.trained order by pipeline")
    assert [x["pipeline"] for x in trained] == list(TRAININGS)
    assert all(x["ndcg_at_10"] > x["ndcg_of_popularity"] for x in trained)
    assert world.steps("r")["extract_data"] == "succeeded"
    assert world.plan.scalar("select max(used) from public.seen") == 2
    assert slots(world.plan) == (0, 0)


def slots(plan: Plan) -> tuple[int, int]:
    """Return the number of taken slots of the pool, and of jobs that wait for one."""
    (row,) = plan.sql("select used, waiting from headgate.v_pools where pool = %(p)s", p=POOL)
    return row["used"], row["waiting"]
