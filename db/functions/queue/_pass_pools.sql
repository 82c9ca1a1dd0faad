-- Chunks about to be leased for which their pools have room; the others are parked outside of the queue. Slots are
-- never exceeded: the pools are locked, and a lease that has ended is not revived (extend_leases). No chunk starves:
-- none passes those ahead of it in the line, even if they wait for more room.

create or replace function headgate._pass_pools(
    p_chunks headgate.chunks[],
    p_now timestamptz
)
returns headgate.chunks[]
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_passed headgate.chunks[];
    v_parked headgate.chunks[];
begin
    perform headgate._lock_pools(p_chunks);
    select
        coalesce(array_agg(p_chunks[n.nth] order by n.nth) filter (where n.passes), '{}'),
        coalesce(array_agg(p_chunks[n.nth] order by n.nth) filter (where not n.passes), '{}')
    into v_passed, v_parked
    from (
        select
            u.ordinality,
            u.pool is null
            or l.name is null
            or sum(u.pool_slots) over (partition by u.pool order by u.ordinality) <= l.room
            and u.chunk_id < coalesce(l.first_waiting, u.chunk_id + 1) as passes
        from unnest(p_chunks) with ordinality as u
        left join (
            select
                n.name,
                headgate._pool_room(n.name) as room,
                (
                    select f.chunk_id
                    from headgate._pool_line(n.name, p_now) as f
                    where f.wake_at > p_now
                    limit 1
                ) as first_waiting
            from headgate.pools as n
            where n.name = any (array(select c.pool from unnest(p_chunks) as c))
        ) as l on l.name = u.pool
    ) as n (nth, passes);
    if v_parked <> '{}' then
        perform headgate._park_for_pools(v_parked, p_now);
    end if;
    return v_passed;
end;
$func$;

-- Their units stay reserved. An expired lease has been charged, and its calls may have been made; while another session
-- holds its execution it stays leased, as in _take_out.
create or replace function headgate._park_for_pools(
    p_chunks headgate.chunks[],
    p_now timestamptz
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_execution_ids constant bigint[] := array(
        select e.execution_id
        from headgate.process_executions as e
        where e.execution_id = any (array(select u.execution_id from unnest(p_chunks) as u where u.state = 'leased'))
            and e.status = 'running'
        order by e.execution_id
        for key share skip locked
    );
begin
    perform pgmq.delete(u.queue, u.msg_id)
    from unnest(p_chunks) as u
    where u.state = 'queued' or u.execution_id = any (v_execution_ids);
    perform pgmq.set_vt(u.queue, u.msg_id, clock_timestamp() + interval '1 second')
    from unnest(p_chunks) as u
    where u.state = 'leased' and u.execution_id <> all (v_execution_ids);
    update headgate.chunks as c
    set state = 'parked',
        msg_id = null,
        waits_for_pool = c.pool,
        wake_at = headgate._pool_patience(p_now),
        park_reason = 'waits for pool ' || c.pool,
        window_opened_at = case when u.state = 'queued' then c.window_opened_at end,
        lease_expirations = c.lease_expirations + case when u.state = 'leased' then 1 else 0 end,
        charged_units = c.charged_units + case when u.state = 'leased' then headgate._unit_price(c) else 0 end,
        request_count = c.request_count + case when u.state = 'leased' then least(1, c.calls) else 0 end
    from unnest(p_chunks) as u
    where c.chunk_id = u.chunk_id
        and (u.state = 'queued' or u.execution_id = any (v_execution_ids));
end;
$func$;
