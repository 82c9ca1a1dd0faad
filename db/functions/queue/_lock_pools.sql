-- Lock the pools of these chunks, in order: after chunks and steps, before breakers, rate limiters and windows.
create or replace function headgate._lock_pools(p_chunks headgate.chunks[])
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    select
    from headgate.pools as l
    where l.name = any (array(select c.pool from unnest(p_chunks) as c))
    order by l.name
    for no key update;
$func$;
