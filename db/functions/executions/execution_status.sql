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
declare
    v_execution constant headgate.process_executions := headgate._execution(p_pipeline, p_run_id);
begin
    perform headgate._sweep(20);
    return query
    select
        e.status, s.planned, f.queued, f.running, f.parked, s.succeeded, s.failed, s.deferred, s.skipped, f.next_wake_at
    from headgate.process_executions as e
    cross join lateral headgate._totals(e.execution_id) as s
    cross join lateral headgate._in_flight(e.execution_id) as f
    where e.execution_id = v_execution.execution_id;
end;
$func$;

comment on function headgate.execution_status(text, text) is
    'How an execution stands, in jobs; also sends what is due to be sent again.';
