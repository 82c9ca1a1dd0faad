create or replace function headgate.set_asset_active(
    p_asset_id bigint,
    p_is_active boolean
)
returns table (changed integer)
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    with request as (
        insert into headgate._requests (function, arguments)
        values ('set_asset_active', jsonb_build_object(
            'p_asset_id', p_asset_id, 'p_is_active', p_is_active
        ))
        returning result
    )
    select r.*
    from request as q
    cross join lateral jsonb_to_record(q.result) as r (changed integer);
$func$;

comment on function headgate.set_asset_active(bigint, boolean) is
    'Exclude an asset from all plans, or include it again; its history stays.';
