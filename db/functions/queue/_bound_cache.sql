-- Record a change of the cache's size; if the cache is too large now, delete the answers that expire first. Locking the
-- only row lets one session at a time delete; it skips answers that another session has locked.

create or replace function headgate._bound_cache(
    p_change bigint,
    p_most bigint,
    p_now timestamptz
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_bytes bigint;
    v_keys text[];
    v_last timestamptz;
    v_change bigint;
begin
    insert into headgate.cache_size as z (bytes)
    values (greatest(0, p_change))
    on conflict (is_only) do update set bytes = greatest(0, z.bytes + p_change)
    returning z.bytes into v_bytes;
    while v_bytes > p_most loop
        select array_agg(o.key), max(o.expires_at) into v_keys, v_last
        from (
            select f.key, f.expires_at, sum(f.bytes) over (order by f.expires_at, f.key) - f.bytes as freed_before
            from (
                select c.key, c.bytes, c.expires_at
                from headgate.cached_answers as c
                order by c.expires_at
                limit 5000
                for update skip locked
            ) as f
        ) as o
        -- A tenth more than needed, so that not every completion deletes.
        where o.freed_before < v_bytes - p_most * 9 / 10;
        exit when v_keys is null;
        v_change := headgate._delete_cached(v_keys);
        update headgate.cache_size as z
        set bytes = greatest(0, z.bytes + v_change),
            crowded_at = case when v_last > p_now then p_now else z.crowded_at end
        returning z.bytes into v_bytes;
    end loop;
end;
$func$;
