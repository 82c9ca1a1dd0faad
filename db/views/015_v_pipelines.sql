-- Which pipelines there are, for people and for `headgate doctor`.

drop view if exists headgate.v_pipelines cascade;

create view headgate.v_pipelines as
select
    p.name as pipeline,
    p.description,
    p.is_paused,
    p.is_paused_with_dag
from headgate.pipelines as p
where not p.is_retired;

comment on view headgate.v_pipelines is 'Pipelines: named graphs of steps.';
comment on column headgate.v_pipelines.pipeline is 'Its name; Airflow''s dag_id.';
comment on column headgate.v_pipelines.description is 'What it is for.';
comment on column headgate.v_pipelines.is_paused is
    'True: nothing of it is sent or claimed until it is resumed.';
comment on column headgate.v_pipelines.is_paused_with_dag is
    'True: it is paused because its DAG was, and goes on with that.';
