-- Messages without a chunk.

create or replace function headgate._orphan_messages(p_queue text)
returns bigint[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_orphans bigint[];
begin
    execute format(
        'select array(
            select q.msg_id
            from pgmq.%I as q
            where not exists (
                select
                from headgate.chunks as c
                where c.msg_id = q.msg_id
                    and c.queue = $1
                    and c.chunk_id::text = q.message ->> ''chunk_id''
            )
        )', 'q_' || p_queue
    ) into v_orphans using p_queue;
    return v_orphans;
end;
$func$;
