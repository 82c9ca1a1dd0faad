-- Delete cached answers, locked in key order; returns the change of the cache's size.

create or replace function headgate._delete_cached(p_keys text[])
returns bigint
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    with gone as (
        delete from headgate.cached_answers as c
        where c.key = any (array(
            select c.key from headgate.cached_answers as c where c.key = any (p_keys) order by c.key for update
        ))
        returning c.bytes
    )
    select -coalesce(sum(g.bytes), 0) from gone as g;
$func$;
