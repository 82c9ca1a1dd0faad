-- Metrics of pipelines: their runs and the steps of the run that ended last.

drop view if exists headgate._run_metrics cascade;

create view headgate._run_metrics as
with ended as materialized (
    -- Of the last runs, because a run that was reopened may end after its successors.
    select
        p.name as pipeline, e.execution_id, e.status, e.finished_at,
        extract(epoch from e.finished_at - e.started_at)::double precision as seconds
    from headgate.pipelines as p
    cross join lateral (
        select l.*
        from (
            select e.*
            from headgate.process_executions as e
            where e.pipeline_id = p.pipeline_id
                and e.finished_at is not null
            order by e.started_at desc, e.execution_id desc
            limit 10
        ) as l
        order by l.finished_at desc, l.execution_id desc
        limit 1
    ) as e
    where not p.is_retired
)
select k.name as metric, '' as suffix, k.labels, k.value::double precision as value
from headgate.kept_counts as k
where k.name = 'headgate_runs_total'
union all
select t.metric, '', jsonb_build_object('pipeline', e.pipeline), t.value
from ended as e
cross join lateral (values
    ('headgate_run_duration_seconds', e.seconds),
    ('headgate_run_ended_timestamp_seconds', extract(epoch from e.finished_at)),
    ('headgate_run_succeeded', (e.status = 'succeeded')::integer)
) as t (metric, value)
union all
select
    'headgate_run_usual_duration_seconds', '', jsonb_build_object('pipeline', p.name),
    percentile_cont(0.5) within group (order by extract(epoch from e.finished_at - e.started_at)::double precision)
from headgate.pipelines as p
cross join lateral (
    select e.started_at, e.finished_at
    from headgate.process_executions as e
    where e.pipeline_id = p.pipeline_id
        and e.status = 'succeeded'
    order by e.started_at desc, e.execution_id desc
    limit 10
) as e
where not p.is_retired
group by p.name
union all
select
    'headgate_step_duration_seconds', '', jsonb_build_object('pipeline', e.pipeline, 'step', s.step),
    extract(epoch from s.finished_at - s.started_at)
from ended as e
join headgate.process_steps as s using (execution_id)
where s.status in ('succeeded', 'failed')
union all
select
    'headgate_run_running_seconds', '', jsonb_build_object('pipeline', p.name),
    coalesce(extract(epoch from (select headgate.clock()) - min(e.started_at)), 0)
from headgate.pipelines as p
left join headgate.process_executions as e on e.pipeline_id = p.pipeline_id and e.status in ('running', 'paused')
where not p.is_retired
group by p.name
union all
select 'headgate_run_deadline_seconds', '', jsonb_build_object('pipeline', p.name), extract(epoch from p.timeout)
from headgate.pipelines as p
where p.timeout is not null
    and not p.is_retired;

comment on view headgate._run_metrics is 'Samples of the metrics of pipelines.';
comment on column headgate._run_metrics.metric is 'The metric.';
comment on column headgate._run_metrics.suffix is 'Of a histogram the kind of sample, otherwise empty.';
comment on column headgate._run_metrics.labels is 'The sample''s labels.';
comment on column headgate._run_metrics.value is 'Its value.';
