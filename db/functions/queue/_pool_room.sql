-- The slots of a pool that no lease takes; negative after it was made smaller. Only under the pool's lock is that still
-- true afterwards.
create or replace function headgate._pool_room(p_pool text)
returns integer
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select l.slots - coalesce((
        select sum(c.pool_slots)
        from headgate.chunks as c
        where c.pool = l.name
            and c.msg_id is not null
            and c.state = 'leased'
            and c.leased_until > clock_timestamp()
    ), 0)::integer
    from headgate.pools as l
    where l.name = p_pool;
$func$;
