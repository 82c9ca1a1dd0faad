-- Assets missing from two consecutive bulk answers are called for one by one. An ingest function that finds them in
-- such an answer calls this, so that bulk calls serve them again.

create or replace function headgate.trust_bulk(
    p_operation text,
    p_asset_ids bigint[]
)
returns table (trusted integer)
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    with request as (
        insert into headgate._requests (function, arguments)
        values ('trust_bulk', jsonb_build_object(
            'p_operation', p_operation, 'p_asset_ids', p_asset_ids
        ))
        returning result
    )
    select r.*
    from request as q
    cross join lateral jsonb_to_record(q.result) as r (trusted integer);
$func$;

comment on function headgate.trust_bulk(text, bigint[]) is
    'Let bulk calls serve assets again that earlier bulk answers did not contain; returns how many.';
