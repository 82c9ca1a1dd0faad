-- Artifacts: the files that jobs have made, where they are, and for how long.

drop view if exists headgate.v_artifacts cascade;

create view headgate.v_artifacts as
select
    a.artifact_id,
    a.name,
    a.store,
    s.url || '/' || a.key as url,
    a.bytes,
    a.rows,
    a.media_type,
    a.sha256,
    p.name as pipeline,
    e.run_id,
    a.step,
    o.name as operation,
    t.code as asset,
    a.created_at,
    a.expires_at,
    a.deleted_at,
    a.deleted_at is null and not exists (
        select
        from headgate.artifacts as n
        where n.store = a.store
            and n.name = a.name
            and n.deleted_at is null
            and (n.created_at, n.artifact_id) > (a.created_at, a.artifact_id)
    ) as is_current
from headgate.artifacts as a
join headgate.stores as s on s.name = a.store
left join headgate.process_executions as e using (execution_id)
left join headgate.pipelines as p using (pipeline_id)
left join headgate.operations as o on o.operation_id = a.operation_id
left join headgate.assets as t on t.asset_id = a.asset_id
order by a.artifact_id desc;

comment on view headgate.v_artifacts is 'Files that jobs have put into stores, newest first.';
comment on column headgate.v_artifacts.artifact_id is 'Its number.';
comment on column headgate.v_artifacts.name is 'Its name in the store; several rows of a name are its versions.';
comment on column headgate.v_artifacts.store is 'The store.';
comment on column headgate.v_artifacts.url is 'Where it is.';
comment on column headgate.v_artifacts.bytes is 'Its size in bytes.';
comment on column headgate.v_artifacts.rows is 'How many rows it holds; null: it is not a table.';
comment on column headgate.v_artifacts.media_type is 'Its media type.';
comment on column headgate.v_artifacts.sha256 is 'SHA-256 of its content, in hexadecimal.';
comment on column headgate.v_artifacts.pipeline is 'The pipeline of the last run that made it; null: it is forgotten.';
comment on column headgate.v_artifacts.run_id is 'That run.';
comment on column headgate.v_artifacts.step is 'The step that made it.';
comment on column headgate.v_artifacts.operation is 'The operation that made it.';
comment on column headgate.v_artifacts.asset is 'The code of the asset it was made for.';
comment on column headgate.v_artifacts.created_at is 'When its job was completed.';
comment on column headgate.v_artifacts.expires_at is 'When maintenance may remove it; null: it stays.';
comment on column headgate.v_artifacts.deleted_at is 'When it was given up for removal; null: it exists.';
comment on column headgate.v_artifacts.is_current is 'True: the newest of its name.';
