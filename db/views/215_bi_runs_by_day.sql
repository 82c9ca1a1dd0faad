-- Runs by day, for analysts.

drop view if exists headgate_bi.runs_by_day cascade;

create view headgate_bi.runs_by_day as
select
    (r.started_at at time zone 'UTC')::date as day,
    r.pipeline,
    count(*) as runs,
    count(*) filter (where r.status = 'succeeded') as succeeded_runs,
    count(*) filter (where r.status = 'failed') as failed_runs,
    count(*) filter (where r.status = 'cancelled') as cancelled_runs,
    count(*) filter (where r.finished_at is null) as open_runs,
    avg(r.duration_seconds) as avg_duration_seconds,
    max(r.duration_seconds) as max_duration_seconds,
    sum(r.planned)::bigint as planned,
    sum(r.succeeded)::bigint as succeeded,
    sum(r.failed)::bigint as failed,
    sum(r.deferred)::bigint as deferred,
    sum(r.skipped)::bigint as skipped,
    sum(r.units)::bigint as units
from headgate_bi.runs as r
group by 1, r.pipeline;

comment on view headgate_bi.runs_by_day is 'Runs by the day on which they started.';
comment on column headgate_bi.runs_by_day.day is 'The day, UTC.';
comment on column headgate_bi.runs_by_day.pipeline is 'The pipeline.';
comment on column headgate_bi.runs_by_day.runs is 'Runs that started.';
comment on column headgate_bi.runs_by_day.succeeded_runs is 'Of these, runs that succeeded.';
comment on column headgate_bi.runs_by_day.failed_runs is 'Runs that failed.';
comment on column headgate_bi.runs_by_day.cancelled_runs is 'Runs that were cancelled.';
comment on column headgate_bi.runs_by_day.open_runs is 'Runs that have not ended.';
comment on column headgate_bi.runs_by_day.avg_duration_seconds is 'How long they took on average.';
comment on column headgate_bi.runs_by_day.max_duration_seconds is 'How long the longest took.';
comment on column headgate_bi.runs_by_day.planned is 'Jobs planned.';
comment on column headgate_bi.runs_by_day.succeeded is 'Jobs that succeeded.';
comment on column headgate_bi.runs_by_day.failed is 'Jobs that failed.';
comment on column headgate_bi.runs_by_day.deferred is 'Planned jobs that had to wait for the next run.';
comment on column headgate_bi.runs_by_day.skipped is 'Jobs that were not needed, or cancelled.';
comment on column headgate_bi.runs_by_day.units is 'Units that their calls cost.';
