-- The DAGs' state as reported by a scheduler: pausing a DAG pauses its pipeline, and an order waits for one that is not
-- paused.

create table headgate.dags (
    pipeline_id bigint not null references headgate.pipelines,
    deployment text not null,
    dag text not null,
    is_paused boolean not null,
    active_runs integer not null,
    heard_at timestamptz not null,
    constraint dags_pkey primary key (pipeline_id, deployment, dag)
);

comment on table headgate.dags is 'A DAG that runs a pipeline, as the scheduler last reported it.';
comment on column headgate.dags.pipeline_id is 'The pipeline it runs.';
comment on column headgate.dags.deployment is 'The scheduler''s name, where several share this database; may be empty.';
comment on column headgate.dags.dag is 'The DAG''s id.';
comment on column headgate.dags.is_paused is 'Whether it is paused there.';
comment on column headgate.dags.active_runs is 'Its runs there that have not ended, and those that are about to begin.';
comment on column headgate.dags.heard_at is 'When the scheduler reported it.';
