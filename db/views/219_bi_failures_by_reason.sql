-- Failures by day and reason, for analysts. Names are looked up once they are counted.

drop view if exists headgate_bi.failures_by_reason cascade;

create view headgate_bi.failures_by_reason as
select
    f.day, p.name as pipeline, o.name as operation, v.name as provider, f.reason, f.jobs, f.assets, a.code as example
from (
    select
        (d.ended_at at time zone 'UTC')::date as day,
        e.pipeline_id,
        d.operation_id,
        coalesce(d.reason, d.error) as reason,
        count(*) as jobs,
        count(distinct d.asset_id) as assets,
        min(d.asset_id) as asset_id
    from headgate.asset_processing_details as d
    left join headgate.process_executions as e using (execution_id)
    where d.status = 'failed'
    group by 1, e.pipeline_id, d.operation_id, 4
) as f
left join headgate.pipelines as p using (pipeline_id)
left join headgate.operations as o using (operation_id)
left join headgate.providers as v using (provider_id)
left join headgate.assets as a using (asset_id);

comment on view headgate_bi.failures_by_reason is 'Jobs that failed, by day and reason.';
comment on column headgate_bi.failures_by_reason.day is 'The day, UTC.';
comment on column headgate_bi.failures_by_reason.pipeline is 'The pipeline.';
comment on column headgate_bi.failures_by_reason.operation is 'The operation.';
comment on column headgate_bi.failures_by_reason.provider is 'The provider that the operation calls; local: none.';
comment on column headgate_bi.failures_by_reason.reason is 'Why.';
comment on column headgate_bi.failures_by_reason.jobs is 'How many jobs.';
comment on column headgate_bi.failures_by_reason.assets is 'How many assets.';
comment on column headgate_bi.failures_by_reason.example is 'One of the assets.';
