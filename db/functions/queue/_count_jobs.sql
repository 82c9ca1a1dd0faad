create or replace function headgate._count_jobs(
    p_execution_id bigint,
    p_step text,
    p_tally headgate.job_tally,
    p_now timestamptz
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_execution record;
    v_step headgate.process_steps;
begin
    select * into v_execution from headgate._join_execution(p_execution_id);
    if v_execution.is_over then  -- calls in flight when it was cancelled
        update headgate.process_executions as e
        set succeeded = e.succeeded + p_tally.succeeded,
            failed = e.failed + p_tally.failed,
            deferred = e.deferred + p_tally.deferred,
            skipped = e.skipped + p_tally.skipped + p_tally.cancelled,
            units = e.units + p_tally.units
        where e.execution_id = p_execution_id;
    end if;
    update headgate.process_steps as s
    set succeeded = s.succeeded + p_tally.succeeded,
        degraded = s.degraded + p_tally.degraded,
        failed = s.failed + p_tally.failed,
        deferred = s.deferred + p_tally.deferred,
        deferred_by_fault = s.deferred_by_fault + p_tally.deferred_by_fault,
        deferred_by_internal_fault = s.deferred_by_internal_fault + p_tally.deferred_by_internal_fault,
        skipped = s.skipped + p_tally.skipped + p_tally.cancelled,
        units = s.units + p_tally.units
    where s.execution_id = p_execution_id
        and s.step = p_step
    returning s.* into v_step;

    if p_tally.cancelled = 0 then  -- the canceller also sets the status of the step
        perform headgate._close_step(v_step, p_now);
        if v_execution.is_reopened then
            perform headgate._end_reopened(p_execution_id, p_now);
        end if;
    end if;
end;
$func$;
