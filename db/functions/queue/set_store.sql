-- An operator's change to where a store is. Artifacts keep their keys, so existing files must be copied first. Only the
-- owner may call it: runners send the id of the key as plain text, and remove files there.

create or replace function headgate.set_store(
    p_store text,
    p_url text,
    p_endpoint text default null,
    p_region text default null,
    p_key_id_name text default null,
    p_secret_name text default null
)
returns table (store text, url text, endpoint text, region text)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    update headgate.stores as s
    set url = p_url,
        endpoint = p_endpoint,
        region = p_region,
        key_id_name = p_key_id_name,
        secret_name = p_secret_name
    where s.name = p_store
        and not s.is_retired;
    if not found then
        perform headgate._raise(
            'HG008', format('unknown store: %s', coalesce(quote_literal(p_store), 'null')),
            headgate._known('known stores', p_store, array(
                select s.name from headgate.stores as s where not s.is_retired order by s.name
            ))
        );
    end if;
    perform headgate._record_action(
        'set_store', jsonb_build_object('store', p_store),
        jsonb_build_object(
            'url', p_url, 'endpoint', p_endpoint, 'key_id_name', p_key_id_name, 'secret_name', p_secret_name
        )
    );
    return query
    select s.name, s.url, s.endpoint, s.region from headgate.stores as s where s.name = p_store;
exception
    when check_violation or not_null_violation then
        perform headgate._raise('HG008', format('store %s: %s', p_store, sqlerrm), 'nothing was changed');
end;
$func$;

comment on function headgate.set_store(text, text, text, text, text, text) is
    'Change where a store is: its URL and, for a bucket, endpoint, region and the names of its secrets. Returns the '
    'changed store.';
