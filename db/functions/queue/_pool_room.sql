-- The free slots of a pool; negative after it was made smaller. The result stays true only under the pool's lock.
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
