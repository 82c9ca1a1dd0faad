-- Send waiting (planned or parked) chunks to their queues and reserve units for those without any in this window.
-- Chunks beyond the window's units end deferred. One message per chunk, one notification per queue.

create or replace function headgate._send_chunks(
    p_chunk_ids bigint[],
    p_now timestamptz
)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_lacking bigint[];
    v_queue record;
    v_sent integer := 0;
    v_parked bigint[] := '{}';
begin
    v_lacking := headgate._unaffordable(p_chunk_ids, p_now);
    if v_lacking <> '{}' then
        perform headgate._end_chunks(v_lacking, 'deferred', 'quota: no units left in this window', p_now);
    end if;
    if exists (select from headgate.pools) then
        v_parked := headgate._line_up(p_chunk_ids, p_now);
    end if;

    for v_queue in
        select c.queue, array_agg(c.chunk_id order by c.chunk_id) as chunk_ids
        from headgate.chunks as c
        where c.chunk_id = any (p_chunk_ids)
            and c.state in ('planned', 'parked')
            and c.chunk_id <> all (v_parked)
        group by c.queue
        order by c.queue
    loop
        update headgate.chunks as c
        set state = 'queued', msg_id = m.msg_id, wake_at = null, waits_for_pool = null
        from unnest(
            v_queue.chunk_ids,
            array(
                select b.msg_id
                from pgmq.send_batch(
                    v_queue.queue,
                    array(
                        select jsonb_build_object('chunk_id', u.chunk_id)
                        from unnest(v_queue.chunk_ids) as u (chunk_id)
                    )
                ) as b (msg_id)
            )
        ) as m (chunk_id, msg_id)
        where c.chunk_id = m.chunk_id;
        v_sent := v_sent + cardinality(v_queue.chunk_ids);
        perform pg_notify('headgate_jobs', v_queue.queue);
    end loop;

    perform headgate._reserve_queued(p_chunk_ids, p_now);
    return v_sent;
end;
$func$;

-- Reserve units of the current window for queued chunks without any; reservations of past windows are released.
create or replace function headgate._reserve_queued(
    p_chunk_ids bigint[],
    p_now timestamptz
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_need record;
begin
    for v_need in
        with renewed as (
            update headgate.chunks as c
            set window_opened_at = w.opened_at
            from headgate.chunks as old
            join headgate.providers as p using (provider_id)
            cross join lateral headgate._window_at(p, p_now) as w
            where c.chunk_id = any (p_chunk_ids)
                and old.chunk_id = c.chunk_id
                and c.state = 'queued'
                and c.units > 0
                and p.quota is not null
                and c.window_opened_at is distinct from w.opened_at
            returning c.provider_id, c.units, old.window_opened_at as old_window, w.opened_at as new_window
        )
        select r.provider_id, m.opened_at, sum(m.units)::integer as units
        from renewed as r
        cross join lateral (values (r.old_window, -r.units), (r.new_window, r.units)) as m (opened_at, units)
        where m.opened_at is not null
        group by r.provider_id, m.opened_at
        order by r.provider_id, m.opened_at
    loop
        perform headgate._open_window(p, p_now) from headgate.providers as p where p.provider_id = v_need.provider_id;
        if not headgate._move_units(v_need.provider_id, v_need.opened_at, v_need.units, 0) then
            raise exception using
                errcode = '40001',
                message = 'the quota changed while chunks were sent',
                hint = 'call it again: nothing was written';
        end if;
    end loop;
end;
$func$;
