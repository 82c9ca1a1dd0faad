-- A plan says when assets need an operation again: at once, because what it knows of them has changed, or later,
-- because the provider does not yet have what it should. One statement for a whole chunk; an asset that is due earlier
-- stays so.

create or replace function headgate.ask_again(
    p_operation text,
    p_asset_ids bigint[],
    p_due_at timestamptz[]
)
returns table (asked integer)
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    with request as (
        insert into headgate._requests (function, arguments)
        values ('ask_again', jsonb_build_object(
            'p_operation', p_operation, 'p_asset_ids', p_asset_ids, 'p_due_at', p_due_at
        ))
        returning result
    )
    select r.*
    from request as q
    cross join lateral jsonb_to_record(q.result) as r (asked integer);
$func$;

comment on function headgate.ask_again(text, bigint[], timestamptz[]) is
    'Make assets'' need of an operation due at given times, unless it is due before; '
    'a job in flight does not clear it.';
