-- Metrics of pipelines: their runs and the steps of the run that ended last.

drop view if exists headgate._run_metrics cascade;

create view headgate._run_metrics as
with ended as materialized (
    select
        p.name as pipeline, e.execution_id, e.status, e.finished_at,
        extract(epoch from e.finished_at - e.started_at)::double precision as seconds,
        row_number() over newest = 1 as is_last,
        e.status = 'succeeded'
            and count(*) filter (where e.status = 'succeeded') over newest <= 10 as is_usual
    from headgate.process_executions as e
    join headgate.pipelines as p using (pipeline_id)
    where e.finished_at is not null
        and not p.is_retired
    window newest as (partition by e.pipeline_id order by e.finished_at desc, e.execution_id desc)
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
where e.is_last
union all
select
    'headgate_run_usual_duration_seconds', '', jsonb_build_object('pipeline', e.pipeline),
    percentile_cont(0.5) within group (order by e.seconds)
from ended as e
where e.is_usual
group by e.pipeline
union all
select
    'headgate_step_duration_seconds', '', jsonb_build_object('pipeline', e.pipeline, 'step', s.step),
    extract(epoch from s.finished_at - s.started_at)
from ended as e
join headgate.process_steps as s using (execution_id)
where e.is_last
    and s.status in ('succeeded', 'failed')
union all
select
    'headgate_run_running_seconds', '', jsonb_build_object('pipeline', p.name),
    coalesce(extract(epoch from headgate.clock() - min(e.started_at)), 0)
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
