-- A claim at one provider, in two halves. Reach: read messages in order of urgency and lock their chunks if nobody else
-- has them; it starts from messages, so it skips and never waits. Grant: update the breaker and the quota window once
-- for all chunks, and give leases.

create or replace function headgate._claim(
    p_runner text,
    p_provider headgate.providers,
    p_queues text[],
    p_max_chunks integer,
    p_room integer,
    p_now timestamptz
)
returns setof headgate.claimed_chunk
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_reach record;
    v_ended bigint[];
begin
    select * into v_reach from headgate._reach(p_provider, p_queues, p_max_chunks, p_now);
    if v_reach.unfit = '{}' then
        return query
        select *
        from headgate._grant(p_runner, p_provider, v_reach.fit, v_reach.unfit, v_reach.is_probe, p_room, p_now);
        return;
    end if;

    -- A claim either gives leases or ends chunks that can no longer be leased, so that each takes its locks in order.
    v_ended := headgate._end_unfit(v_reach.unfit, p_now);
    perform headgate._put_back(c.queue, c.msg_id)
    from unnest(v_reach.fit || v_reach.unfit) as c
    where c.chunk_id <> all (v_ended);
    -- Claim again at once, unless another session holds what has to end.
    return query
    select * from headgate._no_chunk(p_now + case when v_ended = '{}' then interval '1 second' else '0' end, p_now);
end;
$func$;

-- Chunks of blocked operations are parked, with the queued ones of the same operations, so that they do not block the
-- queue; nothing is reserved while they wait. An expired lease stays leased, as in _take_out.
create or replace function headgate._park_blocked(
    p_chunks headgate.chunks[],
    p_now timestamptz
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_chunks constant headgate.chunks[] := p_chunks || array(
        select c
        from headgate.chunks as c
        where c.state = 'queued'
            and c.provider_id = (p_chunks[1]).provider_id
            and c.call_operation_id in (select u.call_operation_id from unnest(p_chunks) as u)
            and c.chunk_id not in (select u.chunk_id from unnest(p_chunks) as u)
        order by c.chunk_id
        limit 200
        for update skip locked
    );
    v_chunk_ids constant bigint[] := array(select u.chunk_id from unnest(v_chunks) as u);
begin
    perform pgmq.set_vt(u.queue, u.msg_id, clock_timestamp() + (k.blocked_until - p_now))
    from unnest(v_chunks) as u
    join headgate._blocked_calls(v_chunk_ids, p_now) as k on k.operation_id = u.call_operation_id
    where u.state = 'leased';
    perform pgmq.delete(u.queue, u.msg_id) from unnest(v_chunks) as u where u.state = 'queued';
    update headgate.chunks as c
    set state = 'parked',
        msg_id = null,
        wake_at = k.blocked_until,
        park_until = coalesce(c.park_until, p_now + o.max_wait),
        park_reason = k.reason,
        window_opened_at = null
    from headgate._blocked_calls(v_chunk_ids, p_now) as k
    cross join headgate.operations as o
    where c.chunk_id = any (v_chunk_ids)
        and c.state = 'queued'
        and k.operation_id = c.call_operation_id
        and o.operation_id = c.operation_id;
    perform headgate._return_units(v_chunks);
end;
$func$;

-- Its lease has expired twice: one of its jobs may be poison, so each continues alone. Their calls may have been made.
-- They are parked and wake at once, so that the sweep reserves their units; nothing here waits for the window.
create or replace function headgate._split_chunk(p_chunk headgate.chunks)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_unit constant integer := p_chunk.units / greatest(1, p_chunk.calls);
begin
    perform pgmq.delete(p_chunk.queue, p_chunk.msg_id);
    with singles as (
        insert into headgate.chunks (
            execution_id, step, round, operation_id, call_operation_id, provider_id, group_key, priority, asset_ids,
            calls, units, queue, state, wake_at, park_until, park_reason, attempt,
            lease_expirations, charged_units, request_count, planned_at
        )
        select
            p_chunk.execution_id, p_chunk.step, p_chunk.round, p_chunk.operation_id, p_chunk.operation_id,
            p_chunk.provider_id, p_chunk.group_key, p_chunk.priority, array[u.asset_id], least(1, p_chunk.calls),
            v_unit, p_chunk.queue, 'parked', headgate.clock(),
            coalesce(p_chunk.park_until, headgate.clock() + o.max_wait),
            coalesce('internal: twice: ' || p_chunk.lost_reason, 'internal: its lease expired twice'), p_chunk.attempt,
            p_chunk.lease_expirations + 1, p_chunk.charged_units + v_unit,
            p_chunk.request_count + least(1, p_chunk.calls),
            p_chunk.planned_at
        from unnest(p_chunk.asset_ids) with ordinality as u (asset_id, nth)
        cross join headgate.operations as o
        where o.operation_id = p_chunk.operation_id
        order by u.nth
        returning chunk_id, asset_ids
    )
    update headgate.asset_processing_state as s
    set chunk_id = n.chunk_id
    from singles as n
    where s.operation_id = p_chunk.operation_id
        and s.asset_id = n.asset_ids[1];
    delete from headgate.chunks as c where c.chunk_id = p_chunk.chunk_id;
end;
$func$;

-- End or split chunks that can no longer be leased. One call handles those with the same disposition and reason, so
-- that locks are taken in one order. Returns them; the next claim handles the others.
create or replace function headgate._end_unfit(
    p_chunks headgate.chunks[],
    p_now timestamptz
)
returns bigint[]
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_disposition constant text := headgate._disposition(p_chunks[1], p_now);
    -- A session that stops an execution holds it and waits for the messages this claim has read: leave its chunks
    -- alone.
    v_execution_ids constant bigint[] := array(
        select e.execution_id
        from headgate.process_executions as e
        where e.execution_id = any (array(select c.execution_id from unnest(p_chunks) as c))
        order by e.execution_id
        for key share skip locked
    );
    v_chunks constant headgate.chunks[] := array(
        select c
        from unnest(p_chunks) as c
        where headgate._disposition(c, p_now) = v_disposition
            and c.lost_reason is not distinct from (p_chunks[1]).lost_reason
            and c.execution_id = any (v_execution_ids)
    );
    v_chunk_ids constant bigint[] := array(select c.chunk_id from unnest(v_chunks) as c);
begin
    case v_disposition
        when 'step_ended' then
            perform headgate._end_chunks(v_chunk_ids, 'cancelled', 'its step had ended', p_now);
        when 'unknown' then
            perform headgate._end_chunks(
                v_chunk_ids, 'deferred',
                headgate._unknown(coalesce((p_chunks[1]).lost_reason, 'its lease expired')), p_now
            );
        when 'poison' then
            perform headgate._end_chunks(
                v_chunk_ids, 'deferred',
                coalesce(
                    'internal: three times: ' || (p_chunks[1]).lost_reason,
                    'internal: its lease expired three times'
                ),
                p_now
            );
        when 'no_quota' then
            perform headgate._end_chunks(v_chunk_ids, 'deferred', 'quota: no units left in this window', p_now);
        when 'split' then
            perform headgate._locked_pairs(v_chunks);
            perform headgate._split_chunk(c) from unnest(v_chunks) as c where not c.is_bulk;
            perform headgate._ask_one_by_one(c, p_now) from unnest(v_chunks) as c where c.is_bulk;
        when 'breaker_open' then
            perform headgate._park_blocked(v_chunks, p_now);
        else
            return '{}';  -- its step was reopened meanwhile
    end case;
    return v_chunk_ids;
end;
$func$;
