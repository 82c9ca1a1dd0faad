-- Steps of runs, for analysts.

drop view if exists headgate_bi.steps cascade;

create view headgate_bi.steps as
select
    coalesce(s.started_at, s.finished_at, e.started_at) as started_at,
    s.pipeline,
    s.run_id,
    s.step,
    s.status,
    s.skip_reason,
    s.finished_at,
    extract(epoch from coalesce(s.finished_at, (select headgate.clock())) - s.started_at)::double precision
        as duration_seconds,
    s.planned,
    s.succeeded,
    s.failed,
    s.deferred,
    s.skipped,
    s.degraded,
    s.units,
    s.retried,
    case when s.status = 'failed' then s.output ->> 'error' end as error
from headgate.v_execution_steps as s
join headgate.pipelines as p on p.name = s.pipeline
join headgate.process_executions as e on e.pipeline_id = p.pipeline_id and e.run_id = s.run_id;

comment on view headgate_bi.steps is 'Steps of runs.';
comment on column headgate_bi.steps.started_at is
    'When it started; if it never did, when it ended, or its run started.';
comment on column headgate_bi.steps.pipeline is 'The pipeline.';
comment on column headgate_bi.steps.run_id is 'The run''s name.';
comment on column headgate_bi.steps.step is 'The step.';
comment on column headgate_bi.steps.status is 'pending, running, succeeded, failed, skipped or cancelled.';
comment on column headgate_bi.steps.skip_reason is 'Why it was skipped.';
comment on column headgate_bi.steps.finished_at is 'When it ended; null: it has not.';
comment on column headgate_bi.steps.duration_seconds is
    'How long it took, or has been running; null: it never started.';
comment on column headgate_bi.steps.planned is 'Jobs planned.';
comment on column headgate_bi.steps.succeeded is 'Jobs that succeeded.';
comment on column headgate_bi.steps.failed is 'Jobs that failed.';
comment on column headgate_bi.steps.deferred is 'Planned jobs that had to wait for the next run.';
comment on column headgate_bi.steps.skipped is 'Jobs that were not needed, or cancelled.';
comment on column headgate_bi.steps.degraded is 'Of the succeeded, jobs whose answer did not meet an expectation.';
comment on column headgate_bi.steps.units is 'Units that its calls cost.';
comment on column headgate_bi.steps.retried is 'How often it was retried automatically.';
comment on column headgate_bi.steps.error is 'How a function step failed.';
