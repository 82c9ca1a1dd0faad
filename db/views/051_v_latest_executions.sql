-- The last runs of each pipeline, for its row of marks.

drop view if exists headgate.v_latest_executions cascade;

create view headgate.v_latest_executions as
select p.name as pipeline, e.run_id, e.status, e.started_at
from headgate.pipelines as p
cross join lateral (
    select e.run_id, e.status, e.started_at
    from headgate.process_executions as e
    where e.pipeline_id = p.pipeline_id
    order by e.started_at desc, e.execution_id desc
    limit 20
) as e
where not p.is_retired
order by p.name, e.started_at;

comment on view headgate.v_latest_executions is 'The last twenty runs of each pipeline, oldest first.';
comment on column headgate.v_latest_executions.pipeline is 'The pipeline.';
comment on column headgate.v_latest_executions.run_id is 'The run''s name.';
comment on column headgate.v_latest_executions.status is 'running, paused, succeeded, failed or cancelled.';
comment on column headgate.v_latest_executions.started_at is 'When it started.';
