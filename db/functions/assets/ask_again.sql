-- Called by a plan to make assets due again: now, because their data has changed, or later, because the provider does
-- not have the data yet. One statement serves a whole chunk; an earlier due time stays.

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
