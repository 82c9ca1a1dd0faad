-- The report of a run, also of one that failed: figures, decision, and what a person may want to do.

create or replace function viral.write_report(p_pipeline text, p_run_id text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_run jsonb;
    v_kpis jsonb;
    v_report jsonb;
begin
    select d.document into v_run
    from headgate.v_run_documents as d
    where d.pipeline = p_pipeline
        and d.run_id = p_run_id;
    v_kpis := (select jsonb_object_agg(k.name, k.value) from viral.kpis as k where k.run_id = p_run_id);
    v_report := jsonb_build_object(
        'workflow_id', p_run_id,
        'execution_date', v_run #> '{run,logical_date}',
        'duration_minutes', round(
            (extract(epoch from v_now - (v_run #>> '{run,started_at}')::timestamptz) / 60)::numeric, 2
        ),
        'performance_metrics', v_kpis,
        'optimization_parameters', v_run #> '{steps,optimize_parameters,output}',
        'success', coalesce(
            (v_kpis ->> 'engagement_rate')::double precision >= (v_run #>> '{params,engagement_threshold}')::numeric
            and (v_kpis ->> 'cost_per_follow')::double precision
                <= (v_run #>> '{params,cost_per_follow_threshold}')::numeric, false
        ),
        'recommendations', viral.recommendations(v_run)
    );
    insert into viral.reports (run_id, report, html, written_at)
    values (p_run_id, v_report, viral.report_page(p_run_id, v_report), v_now)
    on conflict (run_id) do update set
        report = excluded.report,
        html = excluded.html,
        written_at = excluded.written_at;
    return v_report;
end;
$func$;

comment on function viral.write_report(text, text) is 'Write a flywheel''s report, as JSON and as a page with charts.';
