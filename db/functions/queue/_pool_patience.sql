-- The time at which a chunk that waits for a pool is sent even if nothing woke it; a freed slot wakes it long before.
create or replace function headgate._pool_patience(p_now timestamptz)
returns timestamptz
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select p_now + interval '1 hour';
$func$;
