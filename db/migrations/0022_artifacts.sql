-- Files in stores. A row is committed with the job that made its file, so that readers of rows see whole files only.

create table headgate.artifacts (
    artifact_id bigint generated always as identity,
    store text not null references headgate.stores,
    name text not null,
    key text not null,
    sha256 text not null,
    bytes bigint not null,
    rows bigint,
    media_type text not null,
    execution_id bigint references headgate.process_executions on delete set null,
    step text,
    operation_id bigint references headgate.operations on delete set null,
    asset_id bigint references headgate.assets on delete set null,
    created_at timestamptz not null,
    expires_at timestamptz,
    deleted_at timestamptz,
    constraint artifacts_pkey primary key (artifact_id),
    constraint artifact_name_is_a_relative_path
        check (name !~ '^/|/$|//|(^|/)[.]{1,2}(/|$)|[[:cntrl:]]|\\' and length(name) between 1 and 800),
    constraint sha256_is_in_hexadecimals check (sha256 ~ '^[0-9a-f]{64}$'),
    constraint artifact_size_is_not_negative check (least(bytes, rows) >= 0)
);

comment on table headgate.artifacts is
    'A file in a store: its name says what it is; its key, which contains a hash of the content, says where it is.';
comment on column headgate.artifacts.artifact_id is 'Surrogate key.';
comment on column headgate.artifacts.store is 'The store.';
comment on column headgate.artifacts.name is 'Its name in the store, a path; the newest of a name is current.';
comment on column headgate.artifacts.key is 'Its place below the store''s URL: its name with the start of its hash.';
comment on column headgate.artifacts.sha256 is 'SHA-256 of its content.';
comment on column headgate.artifacts.bytes is 'Its size in bytes.';
comment on column headgate.artifacts.rows is 'How many rows it holds; null: it is not a table.';
comment on column headgate.artifacts.media_type is 'Its media type.';
comment on column headgate.artifacts.execution_id is
    'The last execution that made it; null: the execution is no longer kept.';
comment on column headgate.artifacts.step is 'The step.';
comment on column headgate.artifacts.operation_id is 'The operation.';
comment on column headgate.artifacts.asset_id is 'The asset.';
comment on column headgate.artifacts.created_at is 'When its job was completed.';
comment on column headgate.artifacts.expires_at is 'When it may be removed; null: it stays.';
comment on column headgate.artifacts.deleted_at is 'When it was given up for removal; null: it exists.';

create unique index artifacts_content_idx on headgate.artifacts (store, name, sha256) where deleted_at is null;
comment on index headgate.artifacts_content_idx is 'A file that is made again is the same artifact.';

create index artifacts_execution_idx on headgate.artifacts (execution_id);
comment on index headgate.artifacts_execution_idx is 'Finds the artifacts of an execution.';

create index artifacts_key_idx on headgate.artifacts (store, key);
comment on index headgate.artifacts_key_idx is 'Finds the artifact of a store''s key.';

create table headgate.removed_keys (
    store text not null references headgate.stores on delete cascade,
    key text not null,
    removed_at timestamptz not null,
    constraint removed_keys_pkey primary key (store, key)
);

comment on table headgate.removed_keys is
    'Keys of stores that a runner is removing: for an hour no artifact is made of such a key.';
comment on column headgate.removed_keys.store is 'The store.';
comment on column headgate.removed_keys.key is 'The key.';
comment on column headgate.removed_keys.removed_at is 'When it was given up.';
