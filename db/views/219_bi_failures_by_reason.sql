-- Failures by day and reason, for analysts.

drop view if exists headgate_bi.failures_by_reason cascade;

create view headgate_bi.failures_by_reason as
select
    (j.ended_at at time zone 'UTC')::date as day,
    j.pipeline,
    j.operation,
    j.provider,
    coalesce(j.reason, j.error) as reason,
    count(*) as jobs,
    count(distinct (j.universe, j.asset)) as assets,
    min(j.asset) as example
from headgate_bi.jobs as j
where j.status = 'failed'
group by 1, j.pipeline, j.operation, j.provider, 5;

comment on view headgate_bi.failures_by_reason is 'Jobs that failed, by day and reason.';
comment on column headgate_bi.failures_by_reason.day is 'The day, UTC.';
comment on column headgate_bi.failures_by_reason.pipeline is 'The pipeline.';
comment on column headgate_bi.failures_by_reason.operation is 'The operation.';
comment on column headgate_bi.failures_by_reason.provider is 'The provider that the operation calls; local: none.';
comment on column headgate_bi.failures_by_reason.reason is 'Why.';
comment on column headgate_bi.failures_by_reason.jobs is 'How many jobs.';
comment on column headgate_bi.failures_by_reason.assets is 'How many assets.';
comment on column headgate_bi.failures_by_reason.example is 'One of the assets.';
