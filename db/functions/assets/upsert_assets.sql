-- Assets come as one document, so that a whole universe is one statement; each gets a state row per operation.

create or replace function headgate.upsert_assets(
    p_universe text,
    p_assets jsonb
)
returns table (inserted integer, updated integer, unchanged integer)
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    with request as (
        insert into headgate._requests (function, arguments)
        values ('upsert_assets', jsonb_build_object(
            'p_universe', p_universe, 'p_assets', p_assets
        ))
        returning result
    )
    select r.*
    from request as q
    cross join lateral jsonb_to_record(q.result) as r (inserted integer, updated integer, unchanged integer);
$func$;

comment on function headgate.upsert_assets(text, jsonb) is
    'Add or change assets of a universe: an array of {code, group_key, calendar, attributes, weight, is_active}; '
    'without is_active an asset keeps it, and a new one is active; returns counts.';
