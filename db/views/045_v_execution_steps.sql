-- Steps of executions: newest execution first, its steps in order. Units of jobs in flight count as they are spent.

drop view if exists headgate.v_execution_steps cascade;

create view headgate.v_execution_steps as
select
    p.name as pipeline,
    e.run_id,
    s.step,
    s.status,
    s.planned,
    n.succeeded,
    n.failed,
    n.deferred,
    n.skipped,
    s.started_at,
    s.finished_at,
    (n.units + coalesce(c.units, 0))::integer as units,
    s.skip_reason,
    s.may_fail,
    s.output,
    s.round,
    s.retried,
    s.retry_at,
    case when s.status = 'running' then s.deadline_at end as deadline_at,
    n.degraded,
    s.wave,
    s.kind,
    s.depends_on,
    s.group_keys
from headgate.process_steps as s
join headgate._step_counters as n using (execution_id, step)
join headgate.process_executions as e using (execution_id)
join headgate.pipelines as p using (pipeline_id)
left join lateral (
    -- Earlier leases and the current one: per job, or once for a bulk call.
    select sum(
        case when c.is_bulk then 1 else cardinality(c.asset_ids) end * c.charged_units
        + case when c.state = 'leased' then c.units else 0 end
    ) as units
    from headgate.chunks as c
    where c.execution_id = s.execution_id
        and c.step = s.step
) as c on true
order by e.started_at desc, e.execution_id desc, s.position;

comment on view headgate.v_execution_steps is 'Steps of executions, in order.';
comment on column headgate.v_execution_steps.pipeline is 'The pipeline.';
comment on column headgate.v_execution_steps.run_id is 'The run''s name.';
comment on column headgate.v_execution_steps.step is 'The step.';
comment on column headgate.v_execution_steps.status is
    'pending, running, succeeded, failed, skipped or cancelled.';
comment on column headgate.v_execution_steps.planned is
    'Jobs of the step, each counted once, by its latest round.';
comment on column headgate.v_execution_steps.succeeded is 'Jobs that succeeded.';
comment on column headgate.v_execution_steps.failed is 'Jobs that failed.';
comment on column headgate.v_execution_steps.deferred is 'Jobs that had to wait for the next execution.';
comment on column headgate.v_execution_steps.skipped is 'Jobs that were not needed, or cancelled.';
comment on column headgate.v_execution_steps.started_at is 'When it was enqueued or called.';
comment on column headgate.v_execution_steps.finished_at is 'When it ended.';
comment on column headgate.v_execution_steps.units is
    'Units its calls have cost so far, those of jobs in flight included.';
comment on column headgate.v_execution_steps.skip_reason is
    'Why it was skipped: upstream_failed (its trigger rule, because of a failure before it), rule (its trigger rule, '
    'without a failure), condition, operator (it counts as passed), operator_behind (an operator skipped it, and later '
    'steps treat it as skipped), or finalized (the execution ended before it ran).';
comment on column headgate.v_execution_steps.may_fail is 'True: its failure does not fail the execution.';
comment on column headgate.v_execution_steps.output is
    'What a function step returned (one value or row as it is, several as an array), or how it failed.';
comment on column headgate.v_execution_steps.round is 'Grows each time it is run again.';
comment on column headgate.v_execution_steps.retried is 'How often it was retried automatically.';
comment on column headgate.v_execution_steps.retry_at is
    'When it is retried automatically after a failure; null: no retry is pending.';
comment on column headgate.v_execution_steps.deadline_at is
    'When it fails if it has not ended by then; null: no limit.';
comment on column headgate.v_execution_steps.degraded is
    'Of the succeeded, those whose answer did not meet an expectation.';
comment on column headgate.v_execution_steps.wave is
    'How often it was planned: more than once if it continues with what its jobs find (max_waves).';
comment on column headgate.v_execution_steps.kind is 'fan_out: jobs of due assets; function: a stored function.';
comment on column headgate.v_execution_steps.depends_on is 'The steps before it, in this execution.';
comment on column headgate.v_execution_steps.group_keys is 'The groups it is limited to; null: all.';
