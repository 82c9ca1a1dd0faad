-- How the answer cache served the requests of an operation's last 20 runs; hits and misses are null without any run.

create or replace function headgate._recent_hits(p_operation_id bigint)
returns table (hits numeric, misses numeric, runs bigint)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select sum(n.hits), sum(n.misses), count(*)
    from (
        select k.hits, k.misses
        from headgate.cache_counts as k
        where k.operation_id = p_operation_id
        order by k.execution_id desc
        limit 20
    ) as n;
$func$;
