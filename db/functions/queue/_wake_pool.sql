-- A slot may be free: wake the first in the pool's line that fit, in order, so that small ones do not starve a large
-- one. The next claim's sweep sends them. The lock makes this wait for a claim that is about to park some.

create or replace function headgate._wake_pool(
    p_pool text,
    p_now timestamptz
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_room integer;
begin
    perform from headgate.pools as l where l.name = p_pool for no key update;
    v_room := headgate._pool_room(p_pool);
    if v_room <= 0 then
        return;
    end if;

    update headgate.chunks as c
    set wake_at = p_now
    where c.chunk_id = any (array(
        select w.chunk_id
        from (
            select n.chunk_id, n.wake_at, sum(n.pool_slots) over (order by n.chunk_id) as upto
            from (select f.* from headgate._pool_line(p_pool, p_now) as f limit v_room) as n
        ) as n
        join headgate.chunks as w using (chunk_id)
        where n.upto <= v_room
            and n.wake_at > p_now
        order by w.chunk_id
        for update of w skip locked
    ));
    if found then
        perform pg_notify('headgate_jobs', '');
    end if;
end;
$func$;
