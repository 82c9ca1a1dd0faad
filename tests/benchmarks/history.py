"""A long history, made set-wise: daily runs of the equities plan, and the jobs of all its listings."""

from __future__ import annotations

from typing import Final, LiteralString

from tests.plan import Plan

PIPELINE: Final = "data_collection_equities"
DONE: Final = ("prices_incremental", "indicators_calculation")
"""The operations of which each run has a job for each listing."""
PER_DAY: Final = 50
"""One listing in this many fails, and one is put off, on each day."""

RUNS: LiteralString = """
    insert into headgate.process_executions (
        pipeline_id, run_id, driver, status, started_at, finished_at, planned, succeeded, failed, units
    )
    select
        p.pipeline_id, 'night-' || to_char(d.nth, 'FM0000'), 'headgate', 'succeeded', d.at, d.at + interval '9 minutes',
        2 * %(assets)s, 2 * %(assets)s, 0, %(assets)s
    from headgate.pipelines as p
    cross join (
        select n as nth, (select headgate.clock()) - (%(days)s - n) * interval '1 day' - interval '1 hour' as at
        from generate_series(1, %(days)s) as n
    ) as d
    where p.name = %(pipeline)s
    order by d.nth
"""
STEPS: LiteralString = """
    insert into headgate.process_steps (
        execution_id, step, position, kind, depends_on, trigger_rule, function, operations, group_keys, status,
        planned, succeeded, started_at, finished_at
    )
    select
        e.execution_id, s.step, s.position, s.kind, s.depends_on, s.trigger_rule, s.function, s.operations,
        s.group_keys, 'succeeded', 100, 100, e.started_at + s.position * interval '30 seconds',
        e.started_at + (s.position + 1) * interval '30 seconds'
    from headgate.process_executions as e
    join headgate.pipeline_steps as s using (pipeline_id)
    where e.run_id like 'night-%'
"""
JOBS: LiteralString = """
    insert into headgate.asset_processing_details (
        execution_id, asset_id, operation_id, round, step, status, reason, units, attempts, records, api_calls_used,
        duration_ms, error, ended_at
    )
    select
        e.execution_id, a.asset_id, o.operation_id, 1, 'process_us_markets',
        case when j.is_bad then 'failed' else 'success' end, case when j.is_bad then 'unknown to the provider' end,
        1, 1, 1, 1, 40 + (a.asset_id * 37 + e.execution_id * 11) %% 900, case when j.is_bad then 'unknown to the provider: 404' end,
        e.started_at + (a.asset_id %% 480) * interval '1 second'
    from headgate.process_executions as e
    cross join (select * from headgate.assets where universe = 'equities') as a
    join headgate.operations as o on o.name = any (%(operations)s)
    cross join lateral (select (a.asset_id + e.execution_id) %% %(per_day)s = 0 as is_bad) as j
    where e.run_id = 'night-' || to_char(%(night)s, 'FM0000')
    limit %(rows)s
"""
DEFERRALS: LiteralString = """
    insert into headgate.planner_deferrals (
        execution_id, operation_id, group_key, reason, asset_ids, units, evidence, deferred_at
    )
    select
        e.execution_id, o.operation_id, a.group_key, 'quota', array_agg(a.asset_id order by a.asset_id),
        10 * count(*), '{"units_left": 0}', e.started_at
    from headgate.process_executions as e
    cross join (select * from headgate.assets where universe = 'equities') as a
    join headgate.operations as o on o.name in ('fundamentals_bulk', 'prices_historical')
    where e.run_id like 'night-%'
        and (a.asset_id * 7 + e.execution_id) % 4 = 0
    group by e.execution_id, o.operation_id, a.group_key, e.started_at
"""
STATES: LiteralString = """
    update headgate.asset_processing_state as s
    set watermark = date_trunc('day', (select headgate.clock())),
        succeeded_at = (select headgate.clock()) - interval '1 hour',
        next_due_at = case
            when s.asset_id %% %(per_day)s = 0 then (select headgate.clock()) - interval '1 minute'
            when o.due_rule = 'once' then null
            else (select headgate.clock()) + interval '20 hours'
        end
    from headgate.operations as o
    where o.operation_id = s.operation_id
"""
CHECKS: LiteralString = """
    insert into headgate.check_results (name, subject, execution_id, checked_at, status, value, message, failing_since)
    select
        c.name, 'US, ' || e.started_at::date, e.execution_id, e.finished_at,
        case when e.execution_id %% 9 = 0 then 'warned' else 'passed' end, 0.97,
        case when e.execution_id %% 9 = 0 then '0.97 is too little' end,
        case when e.execution_id %% 9 = 0 then e.finished_at end
    from headgate.process_executions as e
    join headgate.checks as c on c.pipeline = %(pipeline)s
    where e.run_id like 'night-%%'
"""
ALERTS: LiteralString = """
    insert into headgate.alerts (severity, subject, message, raised_at, resolved_at)
    select
        case when n % 3 = 0 then 'error' else 'warning' end, 'subject ' || n, 'it is late, and somebody should look',
        (select headgate.clock()) - n * interval '1 hour',
        case when n > 20 then (select headgate.clock()) - n * interval '1 hour' + interval '30 minutes' end
    from generate_series(1, 2000) as n
"""


def fill(plan: Plan, rows: int) -> int:
    """Give the migrated equities plan this many ended jobs, in daily runs until now; return its number of listings."""
    assets: int = plan.scalar(
        "select count(*) from headgate.assets as a where a.universe = 'equities'"
    )
    days = -(-rows // (assets * len(DONE)))
    plan.offset_clock(f"{-days} days")
    plan.sql("select headgate._open_months(%(months)s)", months=days // 30 + 1)
    plan.offset_clock("0")
    plan.sql(RUNS, assets=assets, days=days, pipeline=PIPELINE)
    plan.sql(STEPS)
    for night in range(1, days + 1):  # each after the one before, as they ended
        left = rows - (night - 1) * assets * len(DONE)
        plan.sql(JOBS, operations=list(DONE), per_day=PER_DAY, night=night, rows=left)
    plan.sql(DEFERRALS)
    plan.sql(STATES, per_day=PER_DAY)
    plan.sql(CHECKS, pipeline=PIPELINE)
    plan.sql(ALERTS)
    plan.sql("vacuum analyze")
    return assets
