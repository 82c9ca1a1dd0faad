-- Turn messages into locked chunks: fit to be leased, or not. Dispositions are computed when all are locked; similar
-- chunks of one step without cost share one.

create or replace function headgate._take_messages(
    p_provider headgate.providers,
    p_queues text[],
    p_max_chunks integer,
    p_now timestamptz,
    out fit headgate.chunks[],
    out unfit headgate.chunks[]
)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_queue text;
    v_chunk headgate.chunks;
    v_judged headgate.chunks;
    v_disposition text;
begin
    fit := '{}';
    unfit := '{}';
    for v_queue in
        select q.queue
        from unnest(array['_high', '_normal', '_low']) with ordinality as u (urgency, nth)
        cross join lateral (select p_provider.name || u.urgency as queue) as q
        where (p_queues is null or q.queue = any (p_queues))
            and exists (select from headgate._first_message(q.queue))
        order by u.nth
    loop
        exit when cardinality(fit) + cardinality(unfit) >= p_max_chunks;
        v_disposition := null;
        foreach v_chunk in array
            headgate._take_chunks(v_queue, p_max_chunks - cardinality(fit) - cardinality(unfit))
        loop
            if v_disposition is null
                or v_chunk.state <> 'queued'
                or v_chunk.units > 0
                or (
                    v_chunk.execution_id, v_chunk.step, v_chunk.operation_id, v_chunk.call_operation_id,
                    v_judged.state, v_judged.units
                ) <> (
                    v_judged.execution_id, v_judged.step, v_judged.operation_id, v_judged.call_operation_id,
                    'queued', 0
                )
            then
                v_disposition := headgate._disposition(v_chunk, p_now);
                v_judged := v_chunk;
            end if;
            case v_disposition
                when 'fit' then fit := fit || v_chunk;
                when 'paused' then perform headgate._take_out(v_chunk);
                else unfit := unfit || v_chunk;
            end case;
        end loop;
    end loop;
end;
$func$;

-- The chunks of a queue's next messages, locked, if nobody has them.
create or replace function headgate._take_chunks(
    p_queue text,
    p_max_chunks integer
)
returns headgate.chunks[]
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $func$
declare
    v_msg_ids bigint[];
    v_messages jsonb[];
    v_chunks headgate.chunks[];
    v_chunk headgate.chunks;
begin
    select array_agg(m.msg_id), array_agg(m.message)
    into v_msg_ids, v_messages
    from pgmq.read(p_queue, 300, p_max_chunks) as m;
    v_chunks := array(
        select c
        from headgate.chunks as c
        where c.chunk_id = any (array(
                select (m ->> 'chunk_id')::bigint from unnest(v_messages) as m where m ->> 'chunk_id' ~ '^[0-9]{1,18}$'
            ))
            and c.queue = p_queue
            and c.msg_id = any (v_msg_ids)
            and c.state = 'queued'
        order by c.msg_id
        for update skip locked
    );
    if cardinality(v_chunks) < cardinality(v_msg_ids) then
        for v_nth in 1 .. cardinality(v_msg_ids) loop
            continue when exists (select from unnest(v_chunks) as c where c.msg_id = v_msg_ids[v_nth]);
            v_chunk := headgate._take_chunk(p_queue, v_msg_ids[v_nth], v_messages[v_nth]);
            if v_chunk.chunk_id is not null then
                v_chunks := v_chunks || v_chunk;
            end if;
        end loop;
    end if;

    return v_chunks;
end;
$func$;

-- The chunk of a message, locked, if nobody has it; otherwise null, and the message is handled.
create or replace function headgate._take_chunk(
    p_queue text,
    p_msg_id bigint,
    p_message jsonb
)
returns headgate.chunks
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_chunk_id constant bigint := case
        when p_message ->> 'chunk_id' ~ '^[0-9]{1,18}$' then (p_message ->> 'chunk_id')::bigint
    end;
    v_chunk headgate.chunks;
begin
    select * into v_chunk from headgate.chunks as c where c.chunk_id = v_chunk_id for update skip locked;
    if not found then
        if exists (select from headgate.chunks as c where c.chunk_id = v_chunk_id and c.msg_id = p_msg_id) then
            perform headgate._put_back(p_queue, p_msg_id);  -- another session has it: next delivery
        else
            perform pgmq.archive(p_queue, p_msg_id);  -- no known chunk
        end if;
        return null;
    elsif v_chunk.msg_id is distinct from p_msg_id or v_chunk.queue <> p_queue then
        perform pgmq.archive(p_queue, p_msg_id);
        return null;
    elsif v_chunk.state = 'leased' and v_chunk.leased_until > clock_timestamp() then
        perform pgmq.set_vt(p_queue, p_msg_id, v_chunk.leased_until);
        return null;
    end if;

    return v_chunk;
end;
$func$;

-- Put back into the plan until the pipeline is resumed. An expired lease stays leased and is looked at again soon: a
-- session that cancels the execution leaves leases alone, so they must not change state meanwhile.
create or replace function headgate._take_out(p_chunk headgate.chunks)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    if p_chunk.state = 'leased' then
        perform pgmq.set_vt(p_chunk.queue, p_chunk.msg_id, clock_timestamp() + interval '5 seconds');
        return;
    end if;
    perform pgmq.delete(p_chunk.queue, p_chunk.msg_id);
    update headgate.chunks as c set state = 'planned', msg_id = null where c.chunk_id = p_chunk.chunk_id;
end;
$func$;
