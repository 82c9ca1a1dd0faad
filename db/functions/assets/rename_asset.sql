create or replace function headgate.rename_asset(
    p_asset_id bigint,
    p_code text
)
returns table (renamed integer)
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    with request as (
        insert into headgate._requests (function, arguments)
        values ('rename_asset', jsonb_build_object(
            'p_asset_id', p_asset_id, 'p_code', p_code
        ))
        returning result
    )
    select r.*
    from request as q
    cross join lateral jsonb_to_record(q.result) as r (renamed integer);
$func$;

comment on function headgate.rename_asset(bigint, text) is 'Give an asset another code; its state and history stay.';
