-- Add ended jobs to their step's counters, and end the step with its last job. While another session holds the step's
-- row and many jobs are left, nobody waits for it: the counts are noted beside it. Two sessions that end the last jobs
-- at once may each miss the other's: headgate._settle_steps ends the step then.

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

    perform
    from headgate.process_steps as s
    where s.execution_id = p_execution_id
        and s.step = p_step
    for no key update skip locked;
    if not found
        and not (v_execution.is_over or v_execution.is_reopened)
        and headgate._is_noted(p_execution_id, p_step, p_tally)
    then
        return;
    end if;
    v_step := headgate._hold_step(p_execution_id, p_step, p_tally);
    if p_tally.cancelled = 0 then  -- the canceller also sets the status of the step
        if v_step.planned <= v_step.succeeded + v_step.failed + v_step.deferred + v_step.skipped then
            perform headgate._close_step(v_step, p_now);
        end if;
        if v_execution.is_reopened then
            perform headgate._end_reopened(p_execution_id, p_now);
        end if;
    end if;
end;
$func$;

-- Note counts beside the step, unless it is about to end: then waiting is short, and who waits last ends it.
create or replace function headgate._is_noted(
    p_execution_id bigint,
    p_step text,
    p_tally headgate.job_tally
)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    insert into headgate.step_counts (
        execution_id, step, succeeded, degraded, failed, deferred, deferred_by_fault, deferred_by_internal_fault,
        skipped, units
    )
    select
        p_execution_id, p_step, p_tally.succeeded, p_tally.degraded, p_tally.failed, p_tally.deferred,
        p_tally.deferred_by_fault, p_tally.deferred_by_internal_fault, p_tally.skipped + p_tally.cancelled,
        p_tally.units
    from headgate._step_counters as s
    where s.execution_id = p_execution_id
        and s.step = p_step
        and s.planned - s.ended > 16 * (
            p_tally.succeeded + p_tally.failed + p_tally.deferred + p_tally.skipped + p_tally.cancelled
        );
    return found;
end;
$func$;
