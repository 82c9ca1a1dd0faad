-- Operations that may not be called although their provider may: what that means for their chunks.

-- Chunks of operations that are closed wait outside the queue, with those of the same operations behind them, and stand in
-- nobody's way; nothing is reserved while they wait. A lease that ran out stays one, as in _take_out.
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
            and coalesce(c.call_operation_id, c.operation_id) in (
                select coalesce(u.call_operation_id, u.operation_id) from unnest(p_chunks) as u
            )
            and c.chunk_id not in (select u.chunk_id from unnest(p_chunks) as u)
        order by c.chunk_id
        limit 200
        for update skip locked
    );
    v_chunk_ids constant bigint[] := array(select u.chunk_id from unnest(v_chunks) as u);
begin
    perform pgmq.set_vt(u.queue, u.msg_id, clock_timestamp() + (k.blocked_until - p_now))
    from unnest(v_chunks) as u
    join headgate._closed_calls(v_chunk_ids, p_now) as k on k.operation_id = coalesce(u.call_operation_id, u.operation_id)
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
        and k.operation_id = coalesce(c.call_operation_id, c.operation_id)
        and o.operation_id = c.operation_id;
    perform headgate._return_units(v_chunks);
end;
$func$;

-- Two leases of it have died: one of its jobs may be deadly, so each goes on alone. Their calls may have been made. They are
-- parked for no time at all, so that the sweep reserves their units; nothing here waits for the window.
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
            execution_id, step, round, operation_id, provider_id, group_key, priority, asset_ids, calls, units, queue,
            state, wake_at, park_until, park_reason, attempt, deaths, booked, requests, planned_at
        )
        select
            p_chunk.execution_id, p_chunk.step, p_chunk.round, p_chunk.operation_id, p_chunk.provider_id,
            p_chunk.group_key, p_chunk.priority, array[u.asset_id], least(1, p_chunk.calls), v_unit, p_chunk.queue,
            'parked', headgate.clock(), coalesce(p_chunk.park_until, headgate.clock() + o.patience),
            coalesce('house: twice: ' || p_chunk.lost_reason, 'house: its lease ran out twice'), p_chunk.attempt, p_chunk.deaths + 1, p_chunk.booked + v_unit,
            p_chunk.requests + least(1, p_chunk.calls), p_chunk.planned_at
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

-- Of these chunks, the calls that are closed now, with their provider or alone: until when, and why. While an operation's probe is
-- out, the others wait a moment.
create or replace function headgate._closed_calls(
    p_chunk_ids bigint[],
    p_now timestamptz
)
returns table (operation_id bigint, blocked_until timestamptz, reason text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        a.operation_id,
        case when k.blocked_until > p_now then k.blocked_until else p_now + interval '5 seconds' end,
        coalesce(k.reason, headgate._breaker_reason(a.operation_id))
    from (
        select distinct c.provider_id, coalesce(c.call_operation_id, c.operation_id) as operation_id
        from headgate.chunks as c
        where c.chunk_id = any (p_chunk_ids)
    ) as a
    join headgate.providers as p using (provider_id)
    cross join lateral headgate._closing(p, a.operation_id, null, '{}', '{}', p_now) as k
    where k.blocked_until > p_now
        or headgate._is_shut(a.operation_id, p_now);
$func$;

-- May an operation not be called now, although its provider may? Its breaker is open, or its probe is out.
create or replace function headgate._is_shut(
    p_operation_id bigint,
    p_now timestamptz
)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select exists (
        select
        from headgate.operation_gates as k
        where k.operation_id = p_operation_id
            and (k.blocked_until > p_now or k.opened > 0 and headgate._is_leased(k.probe_chunk_id))
    );
$func$;

-- Does somebody hold this chunk?
create or replace function headgate._is_leased(p_chunk_id bigint)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select exists (
        select
        from headgate.chunks as c
        where c.chunk_id = p_chunk_id
            and c.state = 'leased'
            and c.leased_until > clock_timestamp()
    );
$func$;
