-- Make an asset's operations due again. Jobs in flight continue, and do not count for this request.

create or replace function headgate.reset_asset(
    p_asset_id bigint,
    p_operations text[] default null
)
returns table (reset integer)
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    with request as (
        insert into headgate._requests (function, arguments)
        values ('reset_asset', jsonb_build_object(
            'p_asset_id', p_asset_id, 'p_operations', p_operations
        ))
        returning result
    )
    select r.*
    from request as q
    cross join lateral jsonb_to_record(q.result) as r (reset integer);
$func$;

comment on function headgate.reset_asset(bigint, text[]) is
    'Make an asset''s operations (null: all) due again and reset their failures; returns how many.';
