"""Computed results are due by their data: exactly where the input changed."""

from __future__ import annotations

from tests.adopt import adopt
from tests.plan import Plan
from tests.runner.handlers.compute_plan import start, status, write_plan
from tests.runner.small_plan import insert

PLANNED = (
    "select planned from headgate.v_execution_steps where run_id = %(run_id)s and step = 'all'"
)
LOAD = """
    create function public.load_bars(p_context jsonb, p_asset_ids bigint[], p_payloads text[])
    returns setof headgate.ingest_result language sql security definer
    set search_path = pg_catalog, pg_temp as $$
        with changed as (
            update public.bars set close = close * 10 where asset_id = any (p_asset_ids) returning asset_id
        )
        select c.asset_id, 'success', count(*)::integer, null::timestamptz, null::text
        from changed as c group by c.asset_id
    $$;
    update headgate.pipeline_steps set position = 2, depends_on = '{load}';
    insert into headgate.pipeline_steps (pipeline_id, step, position, kind, operations)
    select pipeline_id, 'load', 1, 'fan_out', '{load}' from headgate.pipelines;
"""


def load_bars_first(plan: Plan) -> None:
    """Add a step before the computing one that changes bars, which are its input."""
    insert(
        plan,
        "operations",
        name="load",
        universe="paper",
        provider_id=plan.scalar("select provider_id from headgate.providers where name = 'local'"),
        due_rule="once",
        ingest_function="public.load_bars",
    )
    plan.sql(LOAD)
    plan.sql(
        "insert into headgate.operation_inputs select m.operation_id, l.operation_id"
        " from headgate.operations as m, headgate.operations as l where m.name = 'mean' and l.name = 'load'"
    )
    adopt(plan.connection)
    plan.sql("select headgate.check_plans()")


async def test_a_reload_of_170_histories_recalculates_170(plan, run):
    write_plan(plan, "tests.runner.handlers.samples:mean", assets=1000, bars=3, due_rule="after")
    load_bars_first(plan)
    start(plan)
    await run()
    assert plan.scalar(PLANNED, run_id="r1") == 1000

    plan.sql(
        "select headgate.reset_asset(p_asset_id => a.asset_id, p_operations => '{load}')"
        " from (select asset_id from headgate.assets order by asset_id limit 170) as a"
    )
    start(plan, "r2")
    await run("r2")
    start(plan, "r3")
    await run("r3")

    assert [plan.scalar(PLANNED, run_id=x) for x in ("r2", "r3")] == [170, 0]
    assert [status(plan, x)["status"] for x in ("r1", "r2", "r3")] == ["succeeded"] * 3
    assert plan.sql("select mean, count(*) from public.means group by 1 order by 1") == [
        {"mean": 20.0, "count": 830},
        {"mean": 200.0, "count": 170},
    ]
