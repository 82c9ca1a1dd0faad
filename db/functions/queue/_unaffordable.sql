-- Those of these chunks whose units are neither reserved in the current window nor available there.

create or replace function headgate._unaffordable(
    p_chunk_ids bigint[],
    p_now timestamptz
)
returns bigint[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select array(
        select n.chunk_id
        from (
            select
                c.chunk_id,
                b.units_left,
                sum(c.units) over (partition by c.provider_id order by c.priority, c.chunk_id) as running_units
            from headgate.chunks as c
            join headgate.providers as p using (provider_id)
            cross join lateral headgate._budget(p, p_now, null) as b
            where c.chunk_id = any (p_chunk_ids)
                and c.units > 0
                and p.quota is not null
                and c.window_opened_at is distinct from b.opened_at
        ) as n
        where n.running_units > n.units_left
    );
$func$;
