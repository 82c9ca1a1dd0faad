-- Settles an execution without waiting: units of unstarted work are returned, and work in flight loses its lease.

create or replace function headgate.finalize_execution(
    p_pipeline text,
    p_run_id text
)
returns table (
    status text, planned integer, succeeded integer, failed integer, deferred integer, skipped integer,
    units integer, duration interval
)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_execution headgate.process_executions;
    v_chunks headgate.chunks[];
begin
    v_execution := headgate._stopped_execution(p_pipeline, p_run_id);
    if v_execution.status in ('running', 'paused') then
        v_chunks := headgate._hold_execution(v_execution.execution_id);
        perform headgate._end_held(v_chunks, 'deferred', 'the execution was finalized', v_now);
        perform headgate._close_execution(v_execution.execution_id, v_now);
    end if;

    return query
    select e.status, e.planned, e.succeeded, e.failed, e.deferred, e.skipped, e.units, e.finished_at - e.started_at
    from headgate.process_executions as e
    where e.execution_id = v_execution.execution_id;
end;
$func$;

comment on function headgate.finalize_execution(text, text) is
    'End an execution and settle its units; returns its status and totals, and does not raise if it failed.';
