-- Stores the report of an integration run under its name, and returns it.

create or replace function recommender.write_report(p_pipeline text, p_run_id text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_name constant text := to_char(
        v_now at time zone 'UTC', '"noblestride_integration_report_"YYYYMMDD_HH24MISS".json"'
    );
    v_run jsonb;
    v_report jsonb;
begin
    select r.report into v_report from recommender.reports as r where r.run_id = p_run_id;
    if v_report is not null then
        return v_report;
    end if;
    select d.document into v_run
    from headgate.v_run_documents as d
    where d.pipeline = p_pipeline and d.run_id = p_run_id;
    v_report := jsonb_build_object(
        'pipeline_execution', jsonb_build_object(
            'dag_id', p_pipeline, 'execution_date', v_run #> '{run,logical_date}', 'run_id', p_run_id
        ),
        'services_health', recommender._services_health(p_run_id),
        'database_summary', jsonb_build_object(
            'total_tables', v_run #> '{steps,summarize_tables,output,total_tables}',
            'total_records', v_run #> '{steps,summarize_tables,output,total_records}',
            'table_details', v_run #> '{steps,summarize_tables,output,table_summary}'
        ),
        'integration_status', jsonb_build_object(
            'fastapi_sync', case v_run #>> '{steps,sync_fastapi,status}'
                when 'succeeded' then 'completed'
                else v_run #>> '{steps,sync_fastapi,status}'
            end,
            'report_generated_at', to_char(v_now at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
        ),
        'name', v_name
    );
    insert into recommender.reports values (v_name, p_run_id, v_report, v_now);
    return v_report;
end;
$func$;

comment on function recommender.write_report(text, text) is
    'Write a run''s report: services, tables, synchronization; once for each run.';

-- healthy; unhealthy: it answered anything else; unreachable: it did not answer.
create or replace function recommender._services_health(p_run_id text)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce(jsonb_object_agg(
        case h.operation when 'noblestride_fastapi_health' then 'fastapi_service' else 'nodejs_service' end,
        case
            when h.status = 'success' then 'healthy'
            when h.status = 'failed' or h.reason ~ '\(\d{3}: ' then 'unhealthy'
            else 'unreachable'
        end order by h.ended_at
    ), '{}') || jsonb_build_object(
        'check_timestamp', to_char(max(h.ended_at) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
    )
    from headgate.v_asset_processing_history as h
    where h.run_id = p_run_id
        and h.operation in ('noblestride_fastapi_health', 'noblestride_nodejs_health');
$func$;
