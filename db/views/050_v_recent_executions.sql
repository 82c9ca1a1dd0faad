-- Executions, newest first. While an execution runs, its counts are the sums of its steps.

drop view if exists headgate.v_recent_executions cascade;

create view headgate.v_recent_executions as
select
    p.name as pipeline,
    e.run_id,
    e.status,
    e.started_at,
    e.finished_at,
    coalesce(e.finished_at, (select headgate.clock())) - e.started_at as duration,
    coalesce(s.planned, e.planned) as planned,
    coalesce(s.succeeded, e.succeeded) as succeeded,
    coalesce(s.failed, e.failed) as failed,
    coalesce(s.deferred, e.deferred) as deferred,
    coalesce(s.skipped, e.skipped) as skipped,
    coalesce(s.units, e.units) as units,
    e.driver,
    e.started_by
from headgate.process_executions as e
join headgate.pipelines as p using (pipeline_id)
left join lateral (
    select
        sum(s.planned)::integer as planned,
        sum(s.succeeded)::integer as succeeded,
        sum(s.failed)::integer as failed,
        sum(s.deferred)::integer as deferred,
        sum(s.skipped)::integer as skipped,
        sum(s.units)::integer as units
    from headgate.v_execution_steps as s
    where s.pipeline = p.name
        and s.run_id = e.run_id
        and e.finished_at is null
) as s on true
order by e.started_at desc, e.execution_id desc;

comment on view headgate.v_recent_executions is 'Executions, newest first.';
comment on column headgate.v_recent_executions.pipeline is 'The pipeline.';
comment on column headgate.v_recent_executions.run_id is 'The run''s name.';
comment on column headgate.v_recent_executions.status is 'running, paused, succeeded, failed or cancelled.';
comment on column headgate.v_recent_executions.started_at is 'When it started.';
comment on column headgate.v_recent_executions.finished_at is 'When it ended; null: it has not.';
comment on column headgate.v_recent_executions.duration is 'How long it took, or has been running.';
comment on column headgate.v_recent_executions.planned is 'Jobs planned.';
comment on column headgate.v_recent_executions.succeeded is 'Jobs that succeeded.';
comment on column headgate.v_recent_executions.failed is 'Jobs that failed.';
comment on column headgate.v_recent_executions.deferred is
    'Planned jobs that had to wait for the next execution; what was never planned is in headgate.v_deferrals.';
comment on column headgate.v_recent_executions.skipped is 'Jobs that were not needed, or cancelled.';
comment on column headgate.v_recent_executions.units is 'Units its calls cost; while it runs, those spent so far.';
comment on column headgate.v_recent_executions.driver is
    'What advances its steps: airflow, or headgate (the runners).';
comment on column headgate.v_recent_executions.started_by is
    'The database user who had logged in; that of the runners if it started by itself.';
