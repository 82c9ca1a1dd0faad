-- The execution, with its planners done or kept out until we are: none of its chunks can be new then.

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
