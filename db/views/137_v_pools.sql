-- Pools: their slots, those that are taken, and the jobs that wait for one.

drop view if exists headgate.v_pools cascade;

create view headgate.v_pools as
select
    l.name as pool,
    l.slots,
    coalesce(u.used, 0)::integer as used,
    coalesce(w.waiting, 0)::integer as waiting
from headgate.pools as l
left join (
    select c.pool, sum(c.pool_slots) as used
    from headgate.chunks as c
    where c.pool is not null
        and c.msg_id is not null
        and c.state = 'leased'
        and c.leased_until > clock_timestamp()
    group by c.pool
) as u on u.pool = l.name
left join (
    select c.waits_for_pool as pool, sum(cardinality(c.asset_ids)) as waiting
    from headgate.chunks as c
    where c.waits_for_pool is not null
    group by c.waits_for_pool
) as w on w.pool = l.name
order by l.name;

comment on view headgate.v_pools is 'Slots that operations share across pipelines, and how many are taken.';
comment on column headgate.v_pools.pool is 'Its name.';
comment on column headgate.v_pools.slots is 'Its slots; put_pool declares them, set_pool changes them.';
comment on column headgate.v_pools.used is
    'Slots that leases take; more than slots only after the pool was made smaller, until they have ended.';
comment on column headgate.v_pools.waiting is 'Jobs parked until slots are free.';
