-- Where runners put files: file:///folder or s3://bucket/prefix. Secrets are named, never given.

create or replace function headgate.put_store(
    store text,
    url text,
    endpoint text default null,
    region text default null,
    key_id_name text default null,
    secret_name text default null,
    description text default null
)
returns text
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    select headgate._declare('store', put_store.store, jsonb_build_object(
        'url', put_store.url,
        'endpoint', put_store.endpoint,
        'region', put_store.region,
        'key_id_name', put_store.key_id_name,
        'secret_name', put_store.secret_name,
        'description', put_store.description
    ));
$func$;

comment on function headgate.put_store is
    'Declare a store of files: url is file:///folder or s3://bucket/prefix; key_id_name and secret_name name the '
    'environment variables of runners that hold the access key. Returns created, unchanged, or changed and what.';
