create or replace function headgate.execution_status(
    p_pipeline text,
    p_run_id text
)
returns table (
    status text, planned integer, queued integer, running integer, parked integer,
    succeeded integer, failed integer, deferred integer, skipped integer, next_wake_at timestamptz
)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
begin
    perform headgate._execution(p_pipeline, p_run_id);
    perform headgate._sweep(20, headgate.clock());
    perform headgate._end_sessions();
    return query select c.* from headgate.execution_counts(p_pipeline, p_run_id) as c;
end;
$func$;

comment on function headgate.execution_status(text, text) is
    'The status of an execution, in jobs; also sweeps, and ends sessions that exceed their limits.';
