-- Of chunks about to be sent, those of a pool join its line: as many go to the queue as the pool has slots, the others
-- are parked at once and returned. The claim checks under the pool's lock whether a slot is free; nothing waits here.

create or replace function headgate._line_up(
    p_chunk_ids bigint[],
    p_now timestamptz
)
returns bigint[]
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    with line as (
        select
            n.chunk_id,
            l.name as pool,
            case when l.name is not null then n.pool_slots end as pool_slots,
            not n.is_woken and sum(case when n.is_woken then 0 else n.pool_slots end) over (
                partition by l.name order by n.chunk_id
            ) > l.slots as is_parked
        from (
            select
                c.chunk_id, o.pool, o.pool_slots,
                c.state = 'parked' and c.waits_for_pool is not distinct from o.pool as is_woken
            from headgate.chunks as c
            join headgate.operations as o on o.operation_id = c.call_operation_id
            where c.chunk_id = any (p_chunk_ids)
                and c.state in ('planned', 'parked')
                and coalesce(o.pool, c.pool) is not null
        ) as n
        left join headgate.pools as l on l.name = n.pool
    ),
    lined_up as (
        update headgate.chunks as c
        set pool = n.pool,
            pool_slots = n.pool_slots,
            state = case when n.is_parked then 'parked' else c.state end,
            waits_for_pool = case when n.is_parked then n.pool else c.waits_for_pool end,
            wake_at = case when n.is_parked then headgate._pool_patience(p_now) else c.wake_at end,
            park_reason = case when n.is_parked then 'waits for pool ' || n.pool else c.park_reason end
        from line as n
        where c.chunk_id = n.chunk_id
        returning c.chunk_id, n.is_parked
    )
    select coalesce(array_agg(u.chunk_id) filter (where u.is_parked), '{}') from lined_up as u;
$func$;
