-- Slots that operations share, whichever pipeline they run in. An operation takes them with pool and pool_slots.

create or replace function headgate.put_pool(
    pool text,
    slots integer,
    description text default null
)
returns text
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    select headgate._declare('pool', put_pool.pool, jsonb_build_object(
        'slots', put_pool.slots,
        'description', put_pool.description
    ));
$func$;

comment on function headgate.put_pool is
    'Declare a pool: how many slots the leases of its operations may take at once. Returns created, unchanged, or '
    'changed and what.';
