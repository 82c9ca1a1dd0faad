-- Totals first: how many would run, wait or are not due, and why, from one evaluation of the plan.

create or replace function headgate.explain_totals(
    p_pipeline text,
    p_at timestamptz default null,
    p_quota integer default null,
    p_params jsonb default '{}'
)
returns table (
    group_key text, operation text, decision text, reason text, provider text, count bigint, units bigint,
    run_at timestamptz
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
begin
    perform headgate._check_quota_value(p_quota);
    return query
    with plan as materialized (
        select p.operation_id, p.asset_id, p.provider_id, p.is_granted, p.reason, p.units, p.run_at
        from headgate._plan(v_pipeline.pipeline_id, v_options, v_at, p_quota) as p
    ),
    covered as materialized (
        -- The pipeline's operations, each with the groups of its steps.
        select o.operation_id, bool_or(g.group_keys is null) as is_whole, array_agg(u.group_key) as group_keys
        from headgate.pipeline_steps as g
        join headgate.operations as o on o.name = any (g.operations)
        left join unnest(g.group_keys) as u (group_key) on true
        where g.pipeline_id = v_pipeline.pipeline_id
        group by o.operation_id
    ),
    judged as (
        select
            a.group_key,
            s.operation_id,
            coalesce(p.provider_id, o.provider_id) as provider_id,
            case when p.is_granted then 'run' when p.asset_id is not null then 'defer' else 'skip' end as decision,
            case
                when p.is_granted then headgate._due_because(o, s)
                when p.asset_id is not null then w.meaning
                else headgate._skipped_because(a.is_active, s, o, v_at)
            end as reason,
            p.units,
            p.run_at
        from headgate.asset_processing_state as s
        join covered as c using (operation_id)
        join headgate.operations as o using (operation_id)
        join headgate.assets as a using (asset_id)
        left join plan as p on p.operation_id = s.operation_id and p.asset_id = s.asset_id
        left join headgate.v_deferral_reasons as w on w.reason = p.reason
        where c.is_whole
            or a.group_key = any (c.group_keys)
    )
    select
        j.group_key, o.name, j.decision, j.reason, r.name, count(*), coalesce(sum(j.units), 0)::bigint,
        min(j.run_at) filter (where j.decision = 'defer')
    from judged as j
    join headgate.operations as o using (operation_id)
    join headgate.providers as r on r.provider_id = j.provider_id
    group by j.group_key, o.operation_id, o.name, j.decision, j.reason, r.name
    order by array_position(array['run', 'defer', 'skip'], j.decision), j.group_key, o.operation_id, j.reason;
end;
$func$;

comment on function headgate.explain_totals(text, timestamptz, integer, jsonb) is
    'The plan in totals, including what is not due: asset needs and units per group, operation, decision and reason; '
    'with the earliest time for what waits.';
