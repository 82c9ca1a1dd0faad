-- Send the message of a waiting chunk again if it no longer exists (after a restore or a purge). Only the first p_limit
-- chunks of each queue are looked at, so that a claim from a long queue does not read all of it: others are claimed and
-- end, and those whose messages are lost come to be the first.

create or replace function headgate._resend_lost(p_limit integer)
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
        with recursive busy as (  -- the queues with messages: a step through the index for each
            (select c.queue from headgate.chunks as c where c.msg_id is not null order by c.queue limit 1)
            union all
            select (
                select c.queue
                from headgate.chunks as c
                where c.msg_id is not null
                    and c.queue > b.queue
                order by c.queue
                limit 1
            )
            from busy as b
            where b.queue is not null
        )
        select b.queue from busy as b where b.queue is not null
    loop
        execute format(
            'select array(
                select c.chunk_id
                from headgate.chunks as c
                join headgate.process_executions as e using (execution_id)
                where c.chunk_id = any (array(
                        select f.chunk_id
                        from headgate.chunks as f
                        where f.queue = $1
                            and f.msg_id is not null
                            and (f.state = ''queued'' or f.leased_until < clock_timestamp())
                        order by f.msg_id
                        limit $2
                    ))
                    and e.status = ''running''
                    and not exists (select from pgmq.%I as q where q.msg_id = c.msg_id)
                order by c.chunk_id
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
