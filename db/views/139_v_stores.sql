-- Stores: where files go, how many are there, and when they were last cleaned.

drop view if exists headgate.v_stores cascade;

create view headgate.v_stores as
select
    s.name as store,
    s.url,
    s.endpoint,
    s.region,
    s.key_id_name,
    s.secret_name,
    coalesce(a.files, 0) as files,
    coalesce(a.bytes, 0) as bytes,
    s.cleaned_at
from headgate.stores as s
left join (
    select f.store, count(*) as files, sum(f.bytes)::bigint as bytes
    from headgate.artifacts as f
    where f.deleted_at is null
    group by f.store
) as a on a.store = s.name
where not s.is_retired
order by s.name;

comment on view headgate.v_stores is 'Where runners put files, and how many are there.';
comment on column headgate.v_stores.store is 'Its name.';
comment on column headgate.v_stores.url is 'Its folder, or its bucket and prefix; set_store changes it.';
comment on column headgate.v_stores.endpoint is 'Address of its server; null: Amazon''s, or it is a folder.';
comment on column headgate.v_stores.region is 'Region of its bucket; null: us-east-1, or it is a folder.';
comment on column headgate.v_stores.key_id_name is 'The environment variable that holds the access key''s id.';
comment on column headgate.v_stores.secret_name is 'The environment variable that holds the secret access key.';
comment on column headgate.v_stores.files is 'The number of its artifacts.';
comment on column headgate.v_stores.bytes is 'Their total size in bytes.';
comment on column headgate.v_stores.cleaned_at is
    'When a runner last began to remove unneeded files from it; null: never.';
