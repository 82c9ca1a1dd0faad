-- Messages and chunks that disagree. Each queue is a table, so it is queried by name.

create or replace function headgate._examine_queues()
returns table (subject text, verdict text, finding text, advice text, is_fixable boolean)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_queue text;
    v_orphans bigint;
    v_lost bigint;
begin
    verdict := 'warn';
    is_fixable := true;
    for v_queue in select q.queue from headgate._queues() as q order by q.queue loop
        subject := 'queue ' || v_queue;
        if to_regclass(format('pgmq.%I', 'q_' || v_queue)) is null then
            verdict := 'fail';
            finding := 'it is missing';
            advice := 'headgate doctor --fix creates it and sends its chunks again';
            return next;
            verdict := 'warn';
            continue;
        end if;
        v_orphans := cardinality(headgate._orphan_messages(v_queue));
        if v_orphans > 0 then
            finding := format('%s messages belong to no chunk', v_orphans);
            advice := 'claims archive them one by one; headgate doctor --fix archives them now';
            return next;
        end if;
        v_lost := cardinality(headgate._lost_messages(v_queue));
        if v_lost > 0 then
            finding := format('%s chunks wait for messages that are gone', v_lost);
            advice := 'idle runners send them again; headgate doctor --fix sends them now';
            return next;
        end if;
    end loop;
end;
$func$;

-- Chunks of running executions whose message no longer exists; a valid lease needs none.
create or replace function headgate._lost_messages(p_queue text)
returns bigint[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_lost bigint[];
begin
    execute format(
        'select array(
            select c.chunk_id
            from headgate.chunks as c
            join headgate.process_executions as e using (execution_id)
            where c.queue = $1
                and e.status = ''running''
                and (c.state = ''queued'' or c.state = ''leased'' and c.leased_until < clock_timestamp())
                and not exists (select from pgmq.%I as q where q.msg_id = c.msg_id)
        )', 'q_' || p_queue
    ) into v_lost using p_queue;
    return v_lost;
end;
$func$;
