create or replace function headgate.explain_summary(
    p_pipeline text,
    p_at timestamptz default null,
    p_quota integer default null,
    p_params jsonb default '{}',
    p_assets bigint[] default null
)
returns table (group_key text, operation text, decision text, count bigint, units bigint)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_pipeline constant headgate.pipelines := headgate._pipeline(p_pipeline);
begin
    perform headgate._check_quota_value(p_quota);
    if p_assets is not null then
        return query
        select e.group_key, e.operation, e.decision, count(*), sum(e.units)::bigint
        from headgate.explain_plan(p_pipeline, p_at, p_quota, p_params, p_assets) as e
        group by e.group_key, e.operation, e.decision
        order by e.group_key, e.operation, e.decision;
        return;
    end if;

    return query
    select p.group_key, o.name, case when p.is_granted then 'run' else 'defer' end, count(*), sum(p.units)::bigint
    from headgate._plan(
        v_pipeline.pipeline_id,
        headgate._what_if_options(v_pipeline, p_params),
        coalesce(p_at, headgate.clock()),
        p_quota
    ) as p
    join headgate.operations as o using (operation_id)
    group by p.group_key, o.operation_id, o.name, p.is_granted
    order by p.group_key, o.operation_id, p.is_granted desc;
end;
$func$;

comment on function headgate.explain_summary(text, timestamptz, integer, jsonb, bigint[]) is
    'explain_plan in totals: how many pairs and units would run, per group, operation and decision.';
