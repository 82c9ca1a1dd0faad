-- Failed jobs of the last hour, across all pipelines.

create or replace function onpoint.check_errors()
returns jsonb
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select jsonb_build_object(
        'status', case
            when h.failed > 0.05 * h.ended then 'FAILED'
            when h.failed > 0 or h.degraded > 0 then 'WARNING'
            else 'HEALTHY'
        end,
        'error_rate', round(coalesce(h.failed::numeric / nullif(h.ended, 0), 0), 4),
        'critical', h.failed,
        'warning', h.degraded
    )
    from (
        select
            count(*) as ended,
            count(*) filter (where d.status = 'failed') as failed,
            count(*) filter (where d.status = 'success' and d.verdict is not null) as degraded
        from headgate.v_asset_processing_history as d
        where d.ended_at > headgate.clock() - interval '1 hour'
    ) as h;
$func$;

comment on function onpoint.check_errors() is
    'FAILED if more than one in 20 jobs of the last hour failed, WARNING if any failed or is degraded, else HEALTHY.';
