-- A month of nights of the equities plan, made up but the same each time: what failed, what was put off, what was spent,
-- how fresh it was each day, and a screener.

create temporary table night on commit drop as
select
    n.nth,
    date_trunc('day', headgate.clock(), 'UTC') - n.nth * interval '24 hours' - interval '2 hours 30 minutes' as at,
    n.nth in (4, 17) as is_bad
from generate_series(0, 29) as n (nth);

insert into headgate.process_executions (
    pipeline_id, run_id, driver, status, started_at, finished_at, planned, succeeded, failed, deferred, units
)
select
    p.pipeline_id, 'night-' || n.nth, 'headgate', case when n.is_bad then 'failed' else 'succeeded' end, n.at,
    n.at + interval '50 minutes' + n.nth % 7 * interval '4 minutes', 200, 180, 12, 8, 200
from night as n
cross join headgate.pipelines as p
where p.name in ('data_collection_equities', 'calculate_indicators');

insert into headgate.asset_processing_details (
    execution_id, asset_id, operation_id, round, step, status, reason, units, attempts, records, duration_ms, ended_at
)
select
    e.execution_id, a.asset_id, o.operation_id, 1, 'process', s.status, s.reason,
    case when s.status = 'deferred' then 0 else o.units end, 1, case when s.status = 'success' then 1 + n.nth % 3 else 0 end,
    60 + (a.nth * 37 + n.nth * 11) % 900, n.at + a.nth * interval '30 seconds'
from night as n
join headgate.process_executions as e on e.run_id = 'night-' || n.nth
join headgate.pipelines as p using (pipeline_id)
join headgate.operations as o
    on (p.name, o.name) in (
        ('data_collection_equities', 'prices_incremental'), ('data_collection_equities', 'fundamentals_bulk'),
        ('calculate_indicators', 'indicators_calculation')
    )
join (
    select a.asset_id, row_number() over (order by a.code) as nth
    from headgate.assets as a
    where a.universe = 'equities'
    order by a.code
    limit 100
) as a on (a.nth + n.nth) % 3 <= 1
cross join lateral (
    select
        case when x.key % 29 < 2 + case when n.is_bad then 6 else 0 end then 'failed'
            when x.key % 29 = 28 then 'deferred' else 'success' end as status,
        case when x.key % 29 < 1 then 'unknown to the provider'
            when x.key % 29 < 2 then 'no bars in the answer'
            when x.key % 29 < 8 and n.is_bad then 'HTTP 503'
            when x.key % 29 = 28 then 'the run gave up waiting' end as reason
    from (select a.nth * 13 + n.nth * 5 + o.operation_id as key) as x
) as s;

insert into headgate.planner_deferrals (
    execution_id, operation_id, group_key, reason, asset_ids, units, deferred_at
)
select
    e.execution_id, o.operation_id, g.group_key, r.reason, g.asset_ids[1:20 + n.nth * 7 % 60],
    o.units * least(cardinality(g.asset_ids), 20 + n.nth * 7 % 60), n.at
from night as n
join headgate.process_executions as e on e.run_id = 'night-' || n.nth
join headgate.pipelines as p on p.pipeline_id = e.pipeline_id and p.name = 'data_collection_equities'
join headgate.operations as o on o.name = 'prices_historical'
cross join (
    select a.group_key, array_agg(a.asset_id order by a.asset_id) as asset_ids
    from headgate.assets as a
    where a.group_key in ('US', 'LSE')
    group by a.group_key
) as g
join (values ('quota', 1), ('max_assets', 3), ('breaker', 11)) as r (reason, every) on n.nth % r.every = 0;

insert into headgate.quota_windows (provider_id, opened_at, closes_at, usable, spent)
select v.provider_id, date_trunc('day', n.at, 'UTC'), date_trunc('day', n.at, 'UTC') + interval '24 hours', 5000, 1400
from night as n
cross join headgate.providers as v
where v.name = 'eodhd';

insert into headgate.state_days (
    day, operation_id, group_key, assets, fresh, stale, never, oldest_watermark, due, oldest_due_at, noted_at
)
select
    (n.at at time zone 'UTC')::date, g.operation_id, g.group_key, g.assets, x.fresh, g.assets - x.fresh, 0,
    n.at - interval '3 days', g.assets - x.fresh, n.at - interval '2 days', n.at
from night as n
cross join headgate._group_states as g
join headgate.operations as o using (operation_id)
cross join lateral (
    select floor(g.assets * (0.55 + 0.013 * (29 - n.nth) + 0.02 * (g.operation_id % 3)
        - case when n.is_bad then 0.2 else 0 end))::bigint as fresh
) as x
where o.name in ('prices_incremental', 'prices_historical', 'fundamentals_bulk', 'indicators_calculation');

insert into equities.screener (
    asset_id, is_fresh, price_usd, turnover_usd, market_cap_usd, rsi_14, roc_5, roc_21, roc_252, ticker, name, currency,
    exchange, group_key, country, sector, type, date, bars, close, volume_ratio_20, calculated_at, published_at
)
select
    a.asset_id, true, 10 + a.nth, 1e5 * a.nth * a.nth, 1e9, 30 + a.nth % 50, 40 * sin(a.nth), 30 * cos(a.nth),
    60 * sin(a.nth / 3.0), a.code, a.attributes ->> 'name', 'USD', a.attributes ->> 'exchange', a.group_key, 'US', 'Industrials',
    'Common Stock', (headgate.clock() - interval '1 day')::date, 500, 10 + a.nth, 1, headgate.clock(), headgate.clock()
from (
    select a.*, row_number() over (order by a.code) as nth
    from headgate.assets as a
    where a.group_key = 'US'
    order by a.code
    limit 80
) as a;

update headgate.asset_processing_state as s
set succeeded_at = headgate.clock() - interval '3 hours',
    watermark = headgate.clock() - interval '1 day',
    next_due_at = headgate.clock() + case when s.asset_id % 10 < 9 then interval '1 day' else interval '-1 day' end
from headgate.operations as o
where o.operation_id = s.operation_id
    and o.name in ('prices_incremental', 'prices_historical', 'fundamentals_bulk', 'indicators_calculation');
