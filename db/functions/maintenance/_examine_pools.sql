-- Pools that are too small for an operation, and jobs that have waited for slots for longer than an hour.

create or replace function headgate._examine_pools()
returns table (subject text, verdict text, found text, advice text, is_fixable boolean)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        'pool ' || l.name, 'fail',
        format('it has %s slots, and operation %s takes %s: it waits for ever', l.slots, o.name, o.pool_slots),
        format('give it more: headgate.set_pool(''%s'', %s)', l.name, o.pool_slots), false
    from headgate.pools as l
    join headgate.operations as o on o.pool = l.name
    where not o.is_retired
        and o.pool_slots > l.slots
    union all
    select
        'pool ' || v.pool, 'warn',
        format(
            '%s jobs wait for it, the first since %s; %s of its %s slots are taken', v.waiting,
            to_char(w.since at time zone 'UTC', 'YYYY-MM-DD HH24:MI UTC'), v.used, v.slots
        ),
        'v_waiting lists them; headgate.set_pool gives it more slots', false
    from headgate.v_pools as v
    cross join lateral (
        select min(c.planned_at) as since
        from headgate.chunks as c
        join headgate.process_executions as e using (execution_id)
        where c.waits_for_pool = v.pool
            and e.status = 'running'
    ) as w
    where w.since < headgate.clock() - interval '1 hour';
$func$;
