-- The declared pipelines, for people and for `headgate doctor`.

drop view if exists headgate.v_pipelines cascade;

create view headgate.v_pipelines as
select
    p.name as pipeline,
    p.description,
    p.after,
    p.is_paused,
    p.is_paused_with_dag,
    array(
        select s.step from headgate.pipeline_steps as s where s.pipeline_id = p.pipeline_id order by s.position
    ) as steps,
    e.run_id as latest_run_id,
    e.status as latest_status,
    e.started_at as latest_started_at
from headgate.pipelines as p
left join lateral (
    select e.run_id, e.status, e.started_at
    from headgate.process_executions as e
    where e.pipeline_id = p.pipeline_id
    order by e.started_at desc, e.execution_id desc
    limit 1
) as e on true
where not p.is_retired
order by p.name;

comment on view headgate.v_pipelines is 'Pipelines: named graphs of steps.';
comment on column headgate.v_pipelines.pipeline is 'Its name; Airflow''s dag_id.';
comment on column headgate.v_pipelines.description is 'Its purpose.';
comment on column headgate.v_pipelines.after is
    'With driver headgate: a run of it starts for a date once a run of each of these has succeeded for that date.';
comment on column headgate.v_pipelines.is_paused is
    'True: nothing of it is sent or claimed until it is resumed.';
comment on column headgate.v_pipelines.is_paused_with_dag is
    'True: it is paused because its DAG was, and resumes with it.';
comment on column headgate.v_pipelines.steps is 'Its steps, in order.';
comment on column headgate.v_pipelines.latest_run_id is 'Its newest run; null: it has never run.';
comment on column headgate.v_pipelines.latest_status is 'The status of that run.';
comment on column headgate.v_pipelines.latest_started_at is 'When that run started.';
