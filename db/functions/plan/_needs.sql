-- A run's operations with their parameters, and each provider's budget at a moment.

create or replace function headgate._needs(
    p_pipeline_id bigint,
    p_options headgate.plan_options,
    p_step text default null,
    p_at timestamptz default null
)
returns setof headgate.plan_need
language sql
stable
rows 10
set search_path = pg_catalog, pg_temp
as $func$
    -- Bundles are numbered in name order, because numbers sort many times faster. Operations of equal rank that became
    -- due together are also granted together: one complete asset is worth more than two half-finished ones.
    select
        o.operation_id,
        o.provider_id,
        o.units,
        dense_rank() over (order by g.bundle)::integer,
        count(*) over (partition by g.bundle) = 1,
        lever.max_assets,
        lever.chunk_size,
        o.max_wait,
        o.due_rule,
        o.weight_power,
        o.staleness_per_day,
        o.is_backfill or coalesce(o.name = any (q.backfill_operations), false),
        b.operation_id,
        b.provider_id,
        b.units,
        b.most_calls,
        b.batch_size,
        b.units_per_asset,
        o.is_call or o.handler is not null or o.ingest_function is not null,
        o.follows_operation_id is null and o.due_rule <> 'after',
        o.bundle is null and count(*) over (partition by g.bundle) > 1
    from headgate._planned_operations(p_pipeline_id, p_options, p_step) as lever
    join headgate.operations as o using (operation_id)
    left join headgate.quota_shares as q
        on q.provider_id = o.provider_id and q.pipeline_id = p_pipeline_id
    left join lateral (
        -- The bulk or batch call that the account includes and that is not broken at the moment (null: at any moment),
        -- unless the question excludes such calls.
        select
            a.operation_id, a.provider_id, a.units, greatest(1, least(1000, p.requests_per_minute / 4)) as most_calls,
            a.batch_size, a.units_per_asset
        from headgate.operations as a
        join headgate.providers as p using (provider_id)
        where a.bulk_call_of_operation_id = o.operation_id
            and (o.due_rule = 'session' or a.batch_size is not null)
            and (a.feature is null or a.feature = any (p.features))
            and not exists (select from headgate._broken_calls(p_at) as k where k.call_operation_id = a.operation_id)
            and p_options.may_use_bulk_calls
        order by a.units, a.operation_id
        limit 1
    ) as b on true
    cross join lateral (
        select coalesce(o.bundle, case
            when b.operation_id is null and not headgate._is_blocked_at(o.operation_id, p_at)
                then concat_ws(
                    ' ', '?', o.universe, o.provider_id, o.priority, o.units, o.weight_power, o.staleness_per_day,
                    coalesce(o.name = any (q.backfill_operations), false), lever.max_assets
                )
            else o.name
        end) as bundle
    ) as g;
$func$;

-- Whether an operation's own breaker is open at a moment; null if the question is not about a moment.
create or replace function headgate._is_blocked_at(
    p_operation_id bigint,
    p_at timestamptz
)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select exists (
        select
        from headgate.breakers as k
        where k.operation_id = p_operation_id
            and k.blocked_until > p_at
    );
$func$;
