-- Judges the answers of the run, keeps the report, and fails if a required service is unhealthy; with the run's
-- parameter fail_on_warning also if there is any warning.

create or replace function viral.health_check(p_pipeline text, p_run_id text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_is_strict constant boolean := (
        select coalesce((d.document #>> '{params,fail_on_warning}')::boolean, false)
        from headgate.v_run_documents as d
        where d.pipeline = p_pipeline
            and d.run_id = p_run_id
    );
    v_report jsonb;
begin
    select viral.health_report(array_agg(jsonb_populate_record(null::headgate.answer, to_jsonb(h))), v_now)
    into v_report
    from viral.health_answers as h
    where h.run_id = p_run_id;
    insert into viral.health_checks (run_id, checked_at, overall_status, report)
    values (p_run_id, v_now, v_report ->> 'overall_status', v_report)
    on conflict (run_id) do update set
        checked_at = excluded.checked_at,
        overall_status = excluded.overall_status,
        report = excluded.report;
    if v_report ->> 'overall_status' = 'unhealthy'
        or v_is_strict and v_report #> '{summary,warnings}' <> '[]'
    then
        return v_report || jsonb_build_object('status', 'failed', 'error', (
            select string_agg(w, '; ') from jsonb_array_elements_text(v_report #> '{summary,warnings}') as w
        ));
    end if;
    return v_report;
end;
$func$;

comment on function viral.health_check(text, text) is
    'Report the services'' health and keep it; a required service that is unhealthy fails the step.';
