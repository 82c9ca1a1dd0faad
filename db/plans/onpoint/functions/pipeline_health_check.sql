-- Runs five checks, stores their results, and raises an alert that names the failed ones. A check that raises counts as
-- failed; the others still run.

create or replace function onpoint.pipeline_health_check(p_pipeline text, p_run_id text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_results jsonb;
    v_failed text[];
    v_overall text;
begin
    v_results := jsonb_build_object(
        'database_connectivity', onpoint._checked('onpoint.check_connectivity()'),
        'data_freshness', onpoint._checked('onpoint.check_freshness()'),
        'processing_latency', onpoint._checked('onpoint.check_latency()'),
        'error_rates', onpoint._checked('onpoint.check_errors()'),
        'resource_utilization',
        onpoint._checked(format('onpoint.check_resources(%L, %L)', p_pipeline, p_run_id))
    );
    select coalesce(array_agg(r.key order by r.key), '{}') into v_failed
    from jsonb_each(v_results) as r
    where r.value ->> 'status' not in ('HEALTHY', 'WARNING');
    v_overall := case when v_failed = '{}' then 'HEALTHY' else 'UNHEALTHY' end;

    insert into onpoint.health_checks (run_id, checked_at, overall_status, failed_checks, detailed_results)
    values (p_run_id, v_now, v_overall, v_failed, v_results)
    on conflict (run_id) do update set
        checked_at = excluded.checked_at,
        overall_status = excluded.overall_status,
        failed_checks = excluded.failed_checks,
        detailed_results = excluded.detailed_results;
    delete from onpoint.health_checks as h where h.checked_at < v_now - interval '90 days';
    if v_overall = 'HEALTHY' then
        perform headgate.resolve_alert('onpoint health');
    else
        perform headgate.raise_alert('error', 'onpoint health', format(
            'UNHEALTHY: %s; onpoint.health_checks has what each check saw', array_to_string(v_failed, ', ')
        ));
    end if;
    return jsonb_build_object(
        'status', case when v_overall = 'HEALTHY' then 'succeeded' else 'failed' end,
        'overall_status', v_overall,
        'failed_checks', v_failed,
        'detailed_results', v_results,
        'timestamp', v_now
    );
end;
$func$;

comment on function onpoint.pipeline_health_check(text, text) is
    'Run all checks of the monitoring, store their results, and raise or resolve the alert; the step fails if a check '
    'failed. A WARNING fails nothing.';

-- Returns the result of a check, or the error that it raised.
create or replace function onpoint._checked(p_check text)
returns jsonb
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_result jsonb;
begin
    execute 'select ' || p_check into v_result;
    return v_result;
exception when others then
    return jsonb_build_object('status', 'FAILED', 'error', sqlerrm);
end;
$func$;
