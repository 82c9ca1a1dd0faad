-- Claims of one provider, in two halves. Reach: messages are read most urgent first, and their chunks locked if nobody
-- else has them; because it starts from messages it skips and never waits. Grant: the rate limiter and the quota
-- window move once for all, and leases are given.

create or replace function headgate._claim(
    p_runner text,
    p_provider headgate.providers,
    p_queues text[],
    p_max_chunks integer,
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
        from headgate._grant(p_runner, p_provider, v_reach.fit, v_reach.unfit, v_reach.is_probe, p_now);
        return;
    end if;

    -- Either leases are given or what nobody may lease any more is ended, so that each locks what it needs in order.
    v_ended := headgate._end_unfit(v_reach.unfit, p_now);
    perform headgate._put_back(c.queue, c.msg_id)
    from unnest(v_reach.fit || v_reach.unfit) as c
    where c.chunk_id <> all (v_ended);
    -- At once again, unless somebody holds what is to be ended.
    return query
    select * from headgate._no_chunk(p_now + case when v_ended = '{}' then interval '1 second' else '0' end, p_now);
end;
$func$;

-- Chunks of closed operations wait outside the queue, with those of the same operations behind them, so that they stand
-- in nobody's way; nothing is reserved while they wait. A lease that ran out stays one, as in _take_out.
create or replace function headgate._park_shut(
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
    join headgate._closed_calls(v_chunk_ids, p_now) as k on k.operation_id = u.call_operation_id
    where u.state = 'leased';
    perform pgmq.delete(u.queue, u.msg_id) from unnest(v_chunks) as u where u.state = 'queued';
    update headgate.chunks as c
    set state = 'parked',
        msg_id = null,
        wake_at = k.blocked_until,
        park_until = coalesce(c.park_until, p_now + o.patience),
        park_reason = k.reason,
        window_opened_at = null
    from headgate._closed_calls(v_chunk_ids, p_now) as k
    cross join headgate.operations as o
    where c.chunk_id = any (v_chunk_ids)
        and c.state = 'queued'
        and k.operation_id = c.call_operation_id
        and o.operation_id = c.operation_id;
    perform headgate._return_units(v_chunks);
end;
$func$;

-- Two of its leases have died: one of its jobs may be deadly, so each goes on alone. Their calls may have been made.
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
            calls, units, queue, state, wake_at, park_until, park_reason, attempt, deaths, booked, requests, planned_at
        )
        select
            p_chunk.execution_id, p_chunk.step, p_chunk.round, p_chunk.operation_id, p_chunk.operation_id,
            p_chunk.provider_id, p_chunk.group_key, p_chunk.priority, array[u.asset_id], least(1, p_chunk.calls),
            v_unit, p_chunk.queue, 'parked', headgate.clock(),
            coalesce(p_chunk.park_until, headgate.clock() + o.patience),
            coalesce('house: twice: ' || p_chunk.lost_reason, 'house: its lease ran out twice'), p_chunk.attempt,
            p_chunk.deaths + 1, p_chunk.booked + v_unit, p_chunk.requests + least(1, p_chunk.calls),
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

-- Chunks that nobody may lease any more are ended or split. One call handles those of one verdict and reason, so that
-- locks are taken in one order. Returns them; the next claim meets the others.
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
    v_verdict constant text := headgate._verdict(p_chunks[1], p_now);
    -- Who stops an execution holds it, and waits for the messages that a claim has read: leave him his chunks.
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
        where headgate._verdict(c, p_now) = v_verdict
            and c.lost_reason is not distinct from (p_chunks[1]).lost_reason
            and c.execution_id = any (v_execution_ids)
    );
    v_chunk_ids constant bigint[] := array(select c.chunk_id from unnest(v_chunks) as c);
begin
    case v_verdict
        when 'over' then
            perform headgate._end_chunks(v_chunk_ids, 'cancelled', 'its step had ended', p_now);
        when 'deadly' then
            perform headgate._end_chunks(
                v_chunk_ids, 'deferred',
                coalesce('house: three times: ' || (p_chunks[1]).lost_reason, 'house: its lease ran out three times'),
                p_now
            );
        when 'poor' then
            perform headgate._end_chunks(v_chunk_ids, 'deferred', 'quota: no units are left in this window', p_now);
        when 'split' then
            perform headgate._locked_pairs(v_chunks);
            perform headgate._split_chunk(c) from unnest(v_chunks) as c where not c.is_bulk;
            perform headgate._ask_one_by_one(c, p_now) from unnest(v_chunks) as c where c.is_bulk;
        when 'shut' then
            perform headgate._park_shut(v_chunks, p_now);
        else
            return '{}';  -- somebody has opened its step again meanwhile
    end case;
    return v_chunk_ids;
end;
$func$;
