-- The latest decisions about one asset, page by page. Each operation's are read backwards from an index and no further
-- than the page needs; the view v_decisions reads all that an asset has. Decisions of the same moment stay on one page.

create or replace function headgate.asset_decisions(
    p_asset_id bigint,
    p_before timestamptz default null,
    p_limit integer default 50
)
returns table (
    operation text, pipeline text, run_id text, decision text, outcome text, reason text, units integer,
    records integer, duration_ms integer, attempts integer, decided_at timestamptz
)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
as $func$
    with asset as materialized (
        select a.asset_id, a.group_key, o.operation_id, o.name as operation
        from headgate.assets as a
        join headgate.operations as o using (universe)
        where a.asset_id = p_asset_id
    ),
    decided as (
        select
            d.execution_id, a.operation, 'run' as decision, d.status as outcome, coalesce(d.error, d.reason) as reason,
            d.units, d.records, d.duration_ms, d.attempts, d.ended_at as decided_at
        from asset as a
        cross join lateral (
            select h.*
            from headgate.asset_processing_details as h
            where h.asset_id = a.asset_id
                and h.operation_id = a.operation_id
                and h.ended_at < coalesce(p_before, 'infinity')
            order by h.ended_at desc
            fetch first p_limit rows with ties
        ) as d
        union all
        select d.execution_id, a.operation, 'defer', null, coalesce(r.meaning, d.reason), 0, 0, 0, 0, d.deferred_at
        from asset as a
        cross join lateral (
            select f.*
            from headgate.planner_deferrals as f
            where f.operation_id = a.operation_id
                and f.group_key = a.group_key
                and f.deferred_at < coalesce(p_before, 'infinity')
                and p_asset_id = any (f.asset_ids)
            order by f.deferred_at desc
            fetch first p_limit rows with ties
        ) as d
        left join headgate.v_deferral_reasons as r using (reason)
    )
    select
        d.operation, p.name, e.run_id, d.decision, d.outcome, d.reason, d.units, d.records, d.duration_ms, d.attempts,
        d.decided_at
    from decided as d
    left join headgate.process_executions as e using (execution_id)
    left join headgate.pipelines as p using (pipeline_id)
    order by d.decided_at desc
    fetch first p_limit rows with ties;
$func$;

comment on function headgate.asset_decisions(bigint, timestamptz, integer) is
    'Jobs and deferrals of an asset in its present group, newest first, before a moment if given: p_limit of them, and '
    'any others of the last one''s moment. The next ones are those before that moment.';
