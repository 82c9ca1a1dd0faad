-- The scheduler's DAGs that run pipelines, and their state there.

drop view if exists headgate.v_dags cascade;

create view headgate.v_dags as
select
    d.deployment,
    d.dag,
    p.name as pipeline,
    d.is_paused,
    p.is_paused as is_pipeline_paused,
    d.active_runs,
    d.heard_at
from headgate.dags as d
join headgate.pipelines as p using (pipeline_id)
order by d.deployment, d.dag, p.name;

comment on view headgate.v_dags is 'DAGs that run pipelines, as the scheduler last reported them.';
comment on column headgate.v_dags.deployment is
    'The scheduler''s name, where several share this database; empty: it has no name.';
comment on column headgate.v_dags.dag is 'The DAG''s id.';
comment on column headgate.v_dags.pipeline is 'The pipeline it runs.';
comment on column headgate.v_dags.is_paused is 'Whether it is paused there.';
comment on column headgate.v_dags.is_pipeline_paused is 'Whether the pipeline is paused here.';
comment on column headgate.v_dags.active_runs is
    'Its runs there that have not ended, and those that are about to begin.';
comment on column headgate.v_dags.heard_at is 'When the scheduler reported it.';
