-- Send the message of a waiting chunk again if it no longer exists (after a restore or a purge).

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
