-- Hours of jobs that are not kept yet, from the history. Each hour is read by itself, so that a condition on it reads
-- no other, and equal durations are counted before they are put in order: a sort of all jobs takes ten times as long.

drop view if exists headgate._open_hours cascade;

create view headgate._open_hours as
select
    h.hour, j.pipeline_id, j.operation_id, j.status, j.jobs, j.cached, j.records, j.calls, j.units, j.p50_seconds,
    j.p95_seconds
from headgate._open_since as s
cross join lateral generate_series(s.hour, (select headgate.clock()), interval '1 hour') as h (hour)
cross join lateral (
    select
        c.pipeline_id,
        c.operation_id,
        c.status,
        sum(c.jobs)::bigint as jobs,
        sum(c.cached)::bigint as cached,
        sum(c.records)::bigint as records,
        sum(c.calls)::bigint as calls,
        sum(c.units)::bigint as units,
        min(c.duration_ms) filter (where c.no_longer >= 0.5 * c.all_jobs) / 1000.0::double precision as p50_seconds,
        min(c.duration_ms) filter (where c.no_longer >= 0.95 * c.all_jobs) / 1000.0::double precision as p95_seconds
    from (
        select
            e.pipeline_id,
            d.*,
            sum(d.jobs) over (partition by e.pipeline_id, d.operation_id, d.status) as all_jobs,
            sum(d.jobs) over (
                partition by e.pipeline_id, d.operation_id, d.status order by d.duration_ms
            ) as no_longer
        from (
            select
                d.execution_id,
                d.operation_id,
                d.status,
                d.duration_ms,
                count(*) as jobs,
                count(*) filter (where d.from_cache) as cached,
                sum(d.records) as records,
                sum(d.attempts) as calls,
                sum(d.units) as units
            from headgate.asset_processing_details as d
            where d.ended_at >= h.hour
                and d.ended_at < h.hour + interval '1 hour'
            group by d.execution_id, d.operation_id, d.status, d.duration_ms
        ) as d
        join headgate.process_executions as e using (execution_id)
    ) as c
    group by c.pipeline_id, c.operation_id, c.status
) as j;

comment on view headgate._open_hours is 'Jobs that ended in hours that are not in headgate.job_hours yet, by hour.';
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
