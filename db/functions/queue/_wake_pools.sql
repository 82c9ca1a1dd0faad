-- Wake the chunks that wait for pools, in order of the pools' names, after leases have ended without a completion.
create or replace function headgate._wake_pools(
    p_pools text[],
    p_now timestamptz
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    select headgate._wake_pool(l.name, p_now)
    from (
        select n.name
        from headgate.pools as n
        where n.name = any (p_pools)
            and exists (select from headgate.chunks as c where c.waits_for_pool = n.name)
        order by n.name
        offset 0
    ) as l;
$func$;
