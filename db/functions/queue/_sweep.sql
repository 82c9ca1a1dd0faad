-- What used to need a daemon, a few rows at a time, on the back of calls that happen anyway: parked chunks whose time has come are
-- sent, those of providers closed beyond their patience end as deferred, lost messages are sent again.
-- Row by row, each in a subtransaction: one that cannot be cured does not keep the others from their cure.

create or replace function headgate._sweep(p_limit integer)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_chunk_id bigint;
    v_swept integer := 0;
begin
    for v_chunk_id in
        select c.chunk_id
        from headgate.chunks as c
        join headgate.process_executions as e using (execution_id)
        left join headgate.provider_gates as g using (provider_id)
        left join headgate.quota_windows as w
            on w.provider_id = c.provider_id and w.closed_until > v_now and v_now between w.opened_at and w.closes_at
        where e.status = 'running'
            and (
                c.state = 'parked' and c.wake_at <= v_now
                or c.state in ('queued', 'parked') and greatest(g.closed_until, w.closed_until) > v_now
                    and greatest(g.closed_until, w.closed_until) > coalesce(c.park_until, v_now + (
                        select o.patience from headgate.operations as o where o.operation_id = c.operation_id
                    ))
            )
        order by c.chunk_id
        limit p_limit
        for update of c skip locked
    loop
        begin
            perform headgate._cure(v_chunk_id, v_now);
            v_swept := v_swept + 1;
        exception
            when others then
                raise warning 'chunk % could not be swept: %', v_chunk_id, sqlerrm;
        end;
    end loop;
    if v_swept = 0 then
        v_swept := headgate._resend_lost(p_limit, v_now);
    end if;

    return v_swept;
end;
$func$;

-- One chunk: wait on, be sent, or end.
create or replace function headgate._cure(
    p_chunk_id bigint,
    p_now timestamptz
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_chunk headgate.chunks;
    v_closed record;
    v_patience interval;
begin
    select * into v_chunk from headgate.chunks as c where c.chunk_id = p_chunk_id;
    select o.patience into v_patience from headgate.operations as o where o.operation_id = v_chunk.operation_id;
    select c.* into v_closed
    from headgate.providers as p
    cross join lateral headgate._closing(p, null, '{}', '{}', p_now) as c
    where p.provider_id = v_chunk.provider_id;

    if v_closed.closed_until > coalesce(v_chunk.park_until, p_now + v_patience) then
        perform headgate._end_chunks(array[p_chunk_id], 'deferred', v_closed.reason, p_now);
    elsif v_chunk.state = 'parked' and v_closed.closed_until > p_now then
        update headgate.chunks as c set wake_at = v_closed.closed_until where c.chunk_id = p_chunk_id;
    elsif v_chunk.state = 'parked' then
        perform headgate._send_chunks(array[p_chunk_id], p_now);
    end if;
end;
$func$;

-- A message that is gone although its chunk waits for it (a restored or purged queue) is sent again.
create or replace function headgate._resend_lost(
    p_limit integer,
    p_now timestamptz
)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_queue text;
    v_lost bigint[];
    v_sent integer := 0;
begin
    for v_queue in
        select distinct c.queue
        from headgate.chunks as c
        where c.state = 'queued' or c.state = 'leased' and c.leased_until < clock_timestamp()
    loop
        execute format(
            'select array(
                select c.chunk_id
                from headgate.chunks as c
                join headgate.process_executions as e using (execution_id)
                where c.queue = $1
                    and e.status = ''running''
                    and (c.state = ''queued'' or c.state = ''leased'' and c.leased_until < clock_timestamp())
                    and not exists (select from pgmq.%I as q where q.msg_id = c.msg_id)
                order by c.chunk_id
                limit $2
                for update of c skip locked
            )', 'q_' || v_queue
        ) into v_lost using v_queue, p_limit;
        continue when v_lost = '{}';
        update headgate.chunks as c
        set msg_id = m.msg_id
        from unnest(v_lost, array(
            select b.msg_id
            from pgmq.send_batch(
                v_queue, array(select jsonb_build_object('chunk_id', u.chunk_id) from unnest(v_lost) as u (chunk_id))
            ) as b (msg_id)
        )) as m (chunk_id, msg_id)
        where c.chunk_id = m.chunk_id;
        v_sent := v_sent + cardinality(v_lost);
        perform pg_notify('headgate_jobs', v_queue);
    end loop;

    return v_sent;
end;
$func$;
