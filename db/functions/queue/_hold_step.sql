-- Lock a step, and add to its counters a tally and what is noted beside it. Returns its row.

create or replace function headgate._hold_step(
    p_execution_id bigint,
    p_step text,
    p_tally headgate.job_tally default row(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)::headgate.job_tally
)
returns headgate.process_steps
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_step headgate.process_steps;
begin
    -- First, so that the next statement sees what those have noted who held it before.
    perform
    from headgate.process_steps as s
    where s.execution_id = p_execution_id
        and s.step = p_step
    for no key update;
    with noted as (
        delete from headgate.step_counts as c
        where c.execution_id = p_execution_id
            and c.step = p_step
        returning c.*
    ),
    total as (
        select
            coalesce(sum(n.succeeded), 0)::integer as succeeded,
            coalesce(sum(n.degraded), 0)::integer as degraded,
            coalesce(sum(n.failed), 0)::integer as failed,
            coalesce(sum(n.deferred), 0)::integer as deferred,
            coalesce(sum(n.deferred_by_fault), 0)::integer as deferred_by_fault,
            coalesce(sum(n.deferred_by_internal_fault), 0)::integer as deferred_by_internal_fault,
            coalesce(sum(n.skipped), 0)::integer as skipped,
            coalesce(sum(n.units), 0)::integer as units
        from noted as n
    )
    update headgate.process_steps as s
    set succeeded = s.succeeded + p_tally.succeeded + t.succeeded,
        degraded = s.degraded + p_tally.degraded + t.degraded,
        failed = s.failed + p_tally.failed + t.failed,
        deferred = s.deferred + p_tally.deferred + t.deferred,
        deferred_by_fault = s.deferred_by_fault + p_tally.deferred_by_fault + t.deferred_by_fault,
        deferred_by_internal_fault = s.deferred_by_internal_fault + p_tally.deferred_by_internal_fault
            + t.deferred_by_internal_fault,
        skipped = s.skipped + p_tally.skipped + p_tally.cancelled + t.skipped,
        units = s.units + p_tally.units + t.units
    from total as t
    where s.execution_id = p_execution_id
        and s.step = p_step
    returning s.* into v_step;
    return v_step;
end;
$func$;
