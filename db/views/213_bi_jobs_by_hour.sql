-- Jobs by hour, for analysts: hours that are kept, and what has ended since.

drop view if exists headgate_bi.jobs_by_hour cascade;

create view headgate_bi.jobs_by_hour as
select
    h.hour,
    p.name as pipeline,
    o.name as operation,
    v.name as provider,
    h.status,
    h.jobs,
    h.cached,
    h.records,
    h.calls,
    h.units,
    h.p50_seconds,
    h.p95_seconds
from (
    select
        k.hour, k.pipeline_id, k.operation_id, k.status, k.jobs, k.cached, k.records, k.calls, k.units, k.p50_seconds,
        k.p95_seconds
    from headgate.job_hours as k
    union all
    select
        n.hour, n.pipeline_id, n.operation_id, n.status, n.jobs, n.cached, n.records, n.calls, n.units, n.p50_seconds,
        n.p95_seconds
    from headgate._open_hours as n
) as h
join headgate.pipelines as p using (pipeline_id)
join headgate.operations as o using (operation_id)
join headgate.providers as v using (provider_id);

comment on view headgate_bi.jobs_by_hour is 'Jobs that have ended, by hour.';
comment on column headgate_bi.jobs_by_hour.hour is 'The hour''s first moment.';
comment on column headgate_bi.jobs_by_hour.pipeline is 'The pipeline.';
comment on column headgate_bi.jobs_by_hour.operation is 'The operation.';
comment on column headgate_bi.jobs_by_hour.provider is 'The provider that the operation calls; local: none.';
comment on column headgate_bi.jobs_by_hour.status is 'success, failed, deferred, skipped or cancelled.';
comment on column headgate_bi.jobs_by_hour.jobs is 'How many jobs.';
comment on column headgate_bi.jobs_by_hour.cached is 'Of these, jobs that a cached answer served.';
comment on column headgate_bi.jobs_by_hour.records is 'Rows inserted or changed.';
comment on column headgate_bi.jobs_by_hour.calls is 'Requests made.';
comment on column headgate_bi.jobs_by_hour.units is 'Units charged for their calls.';
comment on column headgate_bi.jobs_by_hour.p50_seconds is 'Half of the jobs'' calls took no longer.';
comment on column headgate_bi.jobs_by_hour.p95_seconds is '95 of 100 jobs'' calls took no longer.';
