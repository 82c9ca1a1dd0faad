-- Jobs that ended today, by UTC.

drop view if exists headgate.v_today_processing_activity cascade;

create view headgate.v_today_processing_activity as
select o.name as operation, d.status, d.jobs, d.records, d.api_calls_used, d.avg_duration_ms
from (
    select
        d.operation_id,
        d.status,
        count(*) as jobs,
        sum(d.records) as records,
        sum(d.api_calls_used) as api_calls_used,
        round(avg(d.duration_ms), 1) as avg_duration_ms
    from headgate.asset_processing_details as d
    where d.ended_at >= (select date_trunc('day', headgate.clock(), 'UTC'))
        and d.ended_at < (select date_trunc('day', headgate.clock(), 'UTC') + interval '24 hours')
    group by d.operation_id, d.status
) as d
join headgate.operations as o using (operation_id)
order by o.name, d.status;

comment on view headgate.v_today_processing_activity is
    'Jobs that ended today (UTC), by operation and status.';
comment on column headgate.v_today_processing_activity.operation is 'The operation.';
comment on column headgate.v_today_processing_activity.status is
    'success, failed, deferred, skipped or cancelled.';
comment on column headgate.v_today_processing_activity.jobs is 'How many jobs.';
comment on column headgate.v_today_processing_activity.records is 'Rows inserted or changed.';
comment on column headgate.v_today_processing_activity.api_calls_used is 'Units their calls cost.';
comment on column headgate.v_today_processing_activity.avg_duration_ms is
    'Time a job''s calls took on average.';
