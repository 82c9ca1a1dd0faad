-- The counters of steps, with what is noted beside them.

drop view if exists headgate._step_counters cascade;

create view headgate._step_counters as
select
    s.execution_id,
    s.step,
    s.status,
    s.planned,
    s.succeeded + s.failed + s.deferred + s.skipped + coalesce(n.ended, 0) as ended,
    s.succeeded + coalesce(n.succeeded, 0) as succeeded,
    s.degraded + coalesce(n.degraded, 0) as degraded,
    s.failed + coalesce(n.failed, 0) as failed,
    s.deferred + coalesce(n.deferred, 0) as deferred,
    s.deferred_by_fault + coalesce(n.deferred_by_fault, 0) as deferred_by_fault,
    s.deferred_by_internal_fault + coalesce(n.deferred_by_internal_fault, 0) as deferred_by_internal_fault,
    s.skipped + coalesce(n.skipped, 0) as skipped,
    s.units + coalesce(n.units, 0) as units
from headgate.process_steps as s
left join (
    select
        c.execution_id,
        c.step,
        sum(c.succeeded + c.failed + c.deferred + c.skipped)::integer as ended,
        sum(c.succeeded)::integer as succeeded,
        sum(c.degraded)::integer as degraded,
        sum(c.failed)::integer as failed,
        sum(c.deferred)::integer as deferred,
        sum(c.deferred_by_fault)::integer as deferred_by_fault,
        sum(c.deferred_by_internal_fault)::integer as deferred_by_internal_fault,
        sum(c.skipped)::integer as skipped,
        sum(c.units)::integer as units
    from headgate.step_counts as c
    group by c.execution_id, c.step
) as n using (execution_id, step);

comment on view headgate._step_counters is
    'The counters of steps, with what headgate.step_counts has noted and their rows do not have yet.';
comment on column headgate._step_counters.execution_id is 'The execution.';
comment on column headgate._step_counters.step is 'The step.';
comment on column headgate._step_counters.status is
    'pending, running, succeeded, failed, skipped or cancelled.';
comment on column headgate._step_counters.planned is 'Jobs of the step, each counted once, by its latest round.';
comment on column headgate._step_counters.ended is 'Jobs that have ended.';
comment on column headgate._step_counters.succeeded is 'Jobs that succeeded.';
comment on column headgate._step_counters.degraded is
    'Of the succeeded, those whose answer did not meet an expectation.';
comment on column headgate._step_counters.failed is 'Jobs that failed.';
comment on column headgate._step_counters.deferred is 'Jobs deferred to the next execution.';
comment on column headgate._step_counters.deferred_by_fault is
    'Of the deferred, those deferred by the provider''s or an internal fault.';
comment on column headgate._step_counters.deferred_by_internal_fault is
    'Of those, the ones deferred by an internal fault.';
comment on column headgate._step_counters.skipped is 'Jobs skipped or cancelled.';
comment on column headgate._step_counters.units is 'Units its calls cost.';
