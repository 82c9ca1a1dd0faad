-- What a run could spend: the budgets that the plan uses.

create or replace function headgate.explain_quota(
    p_pipeline text,
    p_at timestamptz default null,
    p_quota integer default null,
    p_params jsonb default '{}'
)
returns table (
    provider text, usable bigint, units_left bigint, opened_at timestamptz, closes_at timestamptz,
    blocked_until timestamptz
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_at constant timestamptz := coalesce(p_at, headgate.clock());
    v_pipeline constant headgate.pipelines := headgate._pipeline(p_pipeline);
    v_options constant headgate.plan_options := headgate._what_if_options(v_pipeline, p_params);
begin
    perform headgate._check_quota_value(p_quota);
    return query
    select
        p.name,
        least(p_quota, headgate._own_quota(v_pipeline.pipeline_id, v_options), p.quota - p.quota_buffer)::bigint,
        b.units_left,
        b.opened_at,
        b.closes_at,
        b.blocked_until
    from headgate._budgets(
        v_pipeline.pipeline_id, v_options,
        array(select n from headgate._needs(v_pipeline.pipeline_id, v_options) as n), v_at, p_quota
    ) as b
    join headgate.providers as p using (provider_id)
    order by p.name;
end;
$func$;

comment on function headgate.explain_quota(text, timestamptz, integer, jsonb) is
    'What a run of the pipeline could spend with each of its providers, and until when: usable and remaining units of '
    'the window.';
