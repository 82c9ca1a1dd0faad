-- The report of the services' health over their answers. A service without an answer is unhealthy; one that is healthy
-- but slower than its threshold is degraded.

create or replace function viral.health_report(p_answers headgate.answer[], p_checked_at timestamptz)
returns jsonb
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    with service as (
        select
            s.code as name, s.group_key = 'required' as is_required, round(a.duration_ms, 1) as took,
            (s.attributes ->> 'threshold_ms')::numeric as threshold, a.status as answered,
            coalesce(viral.service_status(a.status, a.body), 'unhealthy') as says
        from headgate.v_assets as s
        left join unnest(p_answers) as a using (asset_id)
        where s.universe = 'viral_services'
            and s.is_active
    ),
    judged as (
        select
            s.*, s.says = 'healthy' and s.took > s.threshold as is_slow,
            case when s.says = 'healthy' and s.took > s.threshold then 'degraded' else s.says end as status
        from service as s
    ),
    warned as (
        select
            j.*, case
                when j.is_slow
                    then format('%s: Response time %sms exceeds threshold %sms', j.name, round(j.took), j.threshold)
                when j.status = 'degraded' then format('%s: it says that it is degraded', j.name)
                when j.answered is null then format('%s: no answer', j.name)
                when j.status = 'unhealthy' then format('%s: not healthy, answered %s', j.name, j.answered)
            end as warning
        from judged as j
    )
    select jsonb_build_object(
        'check_timestamp', to_char(p_checked_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
        'total_services', count(*),
        'required_services', coalesce(jsonb_agg(w.name order by w.name) filter (where w.is_required), '[]'),
        'services', coalesce(jsonb_object_agg(w.name, jsonb_build_object(
            'status', w.status, 'response_time_ms', w.took, 'additional_checks', '{}'::jsonb
        )), '{}'),
        'summary', jsonb_build_object(
            'healthy', count(*) filter (where w.status = 'healthy'),
            'unhealthy', count(*) filter (where w.status = 'unhealthy'),
            'degraded', count(*) filter (where w.status = 'degraded'),
            'warnings', coalesce(jsonb_agg(w.warning order by w.name) filter (where w.warning is not null), '[]')
        ),
        'overall_status', case
            when count(*) filter (where w.is_required and w.status = 'unhealthy') > 0 then 'unhealthy'
            when count(*) filter (where w.status <> 'healthy') > 0 then 'degraded'
            else 'healthy'
        end
    )
    from warned as w;
$func$;

comment on function viral.health_report(headgate.answer[], timestamptz) is
    'The services'' health by their answers: each service, a summary with warnings, and the overall status.';
