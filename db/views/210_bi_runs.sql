-- Runs, for analysts.

drop view if exists headgate_bi.runs cascade;

create view headgate_bi.runs as
select
    r.started_at,
    r.pipeline,
    r.run_id,
    r.status,
    r.driver,
    e.is_backfill,
    e.logical_date,
    r.finished_at,
    extract(epoch from r.duration)::double precision as duration_seconds,
    r.planned,
    r.succeeded,
    r.failed,
    r.deferred,
    r.skipped,
    r.units
from headgate.v_recent_executions as r
join headgate.pipelines as p on p.name = r.pipeline
join headgate.process_executions as e on e.pipeline_id = p.pipeline_id and e.run_id = r.run_id;

comment on view headgate_bi.runs is 'Runs; while one is open, its counts grow.';
comment on column headgate_bi.runs.started_at is 'When it started.';
comment on column headgate_bi.runs.pipeline is 'The pipeline.';
comment on column headgate_bi.runs.run_id is 'The run''s name.';
comment on column headgate_bi.runs.status is 'running, paused, succeeded, failed or cancelled.';
comment on column headgate_bi.runs.driver is 'What advances its steps: airflow, or headgate (the runners).';
comment on column headgate_bi.runs.is_backfill is 'True: it is a back-fill, started for a past date.';
comment on column headgate_bi.runs.logical_date is 'The date that it was scheduled for, if any.';
comment on column headgate_bi.runs.finished_at is 'When it ended; null: it is open.';
comment on column headgate_bi.runs.duration_seconds is 'How long it took, or has been running.';
comment on column headgate_bi.runs.planned is 'Jobs planned.';
comment on column headgate_bi.runs.succeeded is 'Jobs that succeeded.';
comment on column headgate_bi.runs.failed is 'Jobs that failed.';
comment on column headgate_bi.runs.deferred is 'Planned jobs that had to wait for the next run.';
comment on column headgate_bi.runs.skipped is 'Jobs that were not needed, or cancelled.';
comment on column headgate_bi.runs.units is 'Units that its calls cost.';
