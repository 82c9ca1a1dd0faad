create or replace function headgate.step_status(
    p_pipeline text,
    p_run_id text,
    p_step text
)
returns table (
    step text, status text, planned integer, queued integer, running integer, parked integer,
    succeeded integer, failed integer, deferred integer, skipped integer, next_wake_at timestamptz
)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_execution constant headgate.process_executions := headgate._execution(p_pipeline, p_run_id);
    v_step constant headgate.process_steps := headgate._step(v_execution, p_step);
begin
    perform headgate._sweep(20, headgate.clock());
    perform headgate._end_sessions();
    return query
    select
        s.step, s.status, s.planned, f.queued, f.running, f.parked, s.succeeded, s.failed, s.deferred, s.skipped,
        f.next_wake_at
    from headgate._step_counters as s
    cross join lateral headgate._in_flight(s.execution_id, s.step) as f
    where s.execution_id = v_execution.execution_id
        and s.step = v_step.step;
end;
$func$;

comment on function headgate.step_status(text, text, text) is
    'The status of a step, in jobs; also sweeps, and ends sessions that exceed their limits.';
