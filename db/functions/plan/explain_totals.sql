-- Totals first: how many would run, wait or are not due, and why, from one evaluation of the plan.

create or replace function headgate.explain_totals(
    p_pipeline text,
    p_at timestamptz default null,
    p_quota integer default null,
    p_params jsonb default '{}',
    p_counted boolean default false
)
returns table (
    group_key text, operation text, decision text, reason text, provider text, count bigint, units bigint,
    run_at timestamptz, counted_at timestamptz
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
set enable_nestloop = off
set jit = off
as $func$
declare
    v_at constant timestamptz := coalesce(p_at, headgate.clock());
    v_pipeline constant headgate.pipelines := headgate._pipeline(p_pipeline);
    v_options constant headgate.plan_options := headgate._what_if_options(v_pipeline, p_params);
    v_counted_at constant timestamptz := (select c.counted_at from headgate._counted as c where p_counted);
begin
    perform headgate._check_quota_value(p_quota);
    return query
    with plan as materialized (
        select p.operation_id, p.asset_id, p.group_key, p.provider_id, p.is_granted, p.reason, p.units, p.run_at
        from headgate._plan(v_pipeline.pipeline_id, v_options, v_at, p_quota) as p
    ),
    due as materialized (
        select
            p.group_key, p.operation_id, p.provider_id, p.is_granted, p.units, p.run_at,
            case when p.is_granted then headgate._due_because(o, s) else w.meaning end as reason,
            headgate._skipped_because(true, s, o, v_at) as left_out_because
        from plan as p
        join headgate.operations as o using (operation_id)
        cross join lateral (  -- from its key, as the plan does: little is due as a rule
            select s.*
            from headgate.asset_processing_state as s
            where s.operation_id = p.operation_id
                and s.asset_id = p.asset_id
            offset 0
        ) as s
        left join headgate.v_deferral_reasons as w on w.reason = p.reason
    ),
    skipped as (
        -- Everything but what is due, which is cheaper than to look for each pair in the plan.
        select e.group_key, e.operation_id, e.standing as reason, e.pairs - coalesce(d.pairs, 0) as pairs
        from headgate._standings(v_pipeline.pipeline_id, v_at, v_counted_at is not null) as e
        left join (
            select d.group_key, d.operation_id, d.left_out_because as standing, count(*) as pairs
            from due as d
            group by d.group_key, d.operation_id, d.left_out_because
        ) as d using (group_key, operation_id, standing)
    ),
    total as (
        select
            d.group_key, d.operation_id, case when d.is_granted then 'run' else 'defer' end as decision, d.reason,
            d.provider_id, count(*) as pairs, sum(d.units) as units,
            min(d.run_at) filter (where not d.is_granted) as run_at
        from due as d
        group by 1, 2, 3, 4, 5
        union all
        select s.group_key, s.operation_id, 'skip', s.reason, o.provider_id, s.pairs, 0, null
        from skipped as s
        join headgate.operations as o using (operation_id)
        where s.pairs > 0
    )
    select
        t.group_key, o.name, t.decision, t.reason, r.name, t.pairs, t.units, t.run_at, v_counted_at
    from total as t
    join headgate.operations as o using (operation_id)
    join headgate.providers as r on r.provider_id = t.provider_id
    order by array_position(array['run', 'defer', 'skip'], t.decision), t.group_key, o.operation_id, t.reason;
end;
$func$;

comment on function headgate.explain_totals(text, timestamptz, integer, jsonb, boolean) is
    'The plan in totals, including what is not due: asset needs and units per group, operation, decision and reason; '
    'with the earliest time for what waits. counted: what is not due may have been counted a little earlier by a '
    'runner, at counted_at (null: it was counted now).';
