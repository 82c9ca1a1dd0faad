-- The execution, after its planners have finished and new ones are blocked: no new chunks can appear.

create or replace function headgate._stopped_execution(
    p_pipeline text,
    p_run_id text
)
returns headgate.process_executions
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    perform headgate._lock(format('runs %s', (headgate._execution(p_pipeline, p_run_id)).pipeline_id));
    return headgate._execution(p_pipeline, p_run_id);
end;
$func$;
