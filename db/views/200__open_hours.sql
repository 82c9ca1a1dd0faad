-- Hours of jobs that the maintenance has not kept yet, from the history. Partitions before them are not read.

drop view if exists headgate._open_hours cascade;

create view headgate._open_hours as
select
    date_trunc('hour', d.ended_at, 'UTC') as hour,
    e.pipeline_id,
    d.operation_id,
    d.status,
    count(*) as jobs,
    count(*) filter (where d.from_cache) as cached,
    sum(d.records) as records,
    sum(d.attempts) as calls,
    sum(d.units) as units,
    percentile_cont(0.5) within group (order by d.duration_ms) / 1000 as p50_seconds,
    percentile_cont(0.95) within group (order by d.duration_ms) / 1000 as p95_seconds
from headgate.asset_processing_details as d
join headgate.process_executions as e using (execution_id)
where d.ended_at >= (
    select coalesce(date_trunc('day', max(h.hour), 'UTC') + interval '24 hours', '-infinity')
    from headgate.job_hours as h
)
group by 1, e.pipeline_id, d.operation_id, d.status;

comment on view headgate._open_hours is
    'Jobs that ended on days whose hours are not in headgate.job_hours yet, by hour.';
comment on column headgate._open_hours.hour is 'The hour''s first moment.';
comment on column headgate._open_hours.pipeline_id is 'The pipeline.';
comment on column headgate._open_hours.operation_id is 'The operation.';
comment on column headgate._open_hours.status is 'How the jobs ended.';
comment on column headgate._open_hours.jobs is 'How many jobs.';
comment on column headgate._open_hours.cached is 'Of these, jobs that a cached answer served.';
comment on column headgate._open_hours.records is 'Rows inserted or changed.';
comment on column headgate._open_hours.calls is 'Requests made.';
comment on column headgate._open_hours.units is 'Units charged for their calls.';
comment on column headgate._open_hours.p50_seconds is 'Half of the jobs'' calls took no longer.';
comment on column headgate._open_hours.p95_seconds is '95 of 100 jobs'' calls took no longer.';
