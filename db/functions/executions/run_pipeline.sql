create or replace function headgate.run_pipeline(
    p_pipeline text,
    p_params jsonb default '{}',
    p_run_id text default null
)
returns table (run_id text)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
begin
    run_id := coalesce(
        p_run_id, 'manual-' || to_char(headgate.clock() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
    );
    perform headgate.start_execution(
        p_pipeline => p_pipeline,
        p_run_id => run_id,
        p_params => p_params,
        p_driver => 'headgate'
    );
    return next;
end;
$func$;

comment on function headgate.run_pipeline(text, jsonb, text) is
    'Start a pipeline that headgate''s own runners advance, step by step; returns its run id.';
