-- Claims of one provider, in two halves. Reach: messages are read most urgent first, their chunks locked if nobody else has them;
-- it starts from messages, so it skips and never waits. Grant: the gate and the quota window move once for all, and leases are
-- given.

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
        return query select * from headgate._grant(p_runner, p_provider, v_reach.fit, v_reach.unfit, v_reach.is_probe, p_now);
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

-- The next chunks for who has just handed one in, in the same transaction. He holds a step, so nothing unfit is ended; nor may he have
-- reached for anything before he held it: who ends this execution's chunks may wait for their messages. Whose lease has run out gets
-- nothing: the first chunk he would reach is that one.
create or replace function headgate._claim_next(
    p_runner text,
    p_chunk headgate.chunks,
    p_provider headgate.providers,
    p_claim integer,
    p_queues text[],
    p_avoid text[],
    p_now timestamptz
)
returns setof headgate.claimed_chunk
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    if p_claim > 0 and p_chunk.leased_until > clock_timestamp() and p_provider.name <> all (p_avoid) then
        return query
        select g.*
        from headgate._reach(p_provider, p_queues, p_claim, p_now) as r
        cross join lateral headgate._grant(p_runner, p_provider, r.fit, r.unfit, r.is_probe, p_now) as g;
    end if;
end;
$func$;

-- Chunks within reach, locked: fit to be leased, or not.
create or replace function headgate._reach(
    p_provider headgate.providers,
    p_queues text[],
    p_max_chunks integer,
    p_now timestamptz,
    out is_probe boolean,
    out fit headgate.chunks[],
    out unfit headgate.chunks[]
)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    select o.is_probe into is_probe from headgate._openness(p_provider, p_now) as o where o.is_open;
    if found then
        select t.fit, t.unfit into fit, unfit
        from headgate._take_messages(p_provider, p_queues, case when is_probe then 1 else p_max_chunks end, p_now) as t;
    else
        fit := '{}';
        unfit := '{}';
    end if;
end;
$func$;

-- Leases for what is fit and passes the gate; the others are put back.
create or replace function headgate._grant(
    p_runner text,
    p_provider headgate.providers,
    p_fit headgate.chunks[],
    p_unfit headgate.chunks[],
    p_is_probe boolean,
    p_now timestamptz
)
returns setof headgate.claimed_chunk
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_passed record;
begin
    if p_fit <> '{}' then
        select * into v_passed from headgate._pass_gate(p_provider, p_fit, p_is_probe, p_now);
    else
        select '{}'::bigint[] as granted into v_passed;
    end if;
    perform headgate._put_back(c.queue, c.msg_id)
    from unnest(p_fit || p_unfit) as c
    where c.chunk_id <> all (v_passed.granted);
    if v_passed.granted <> '{}' then
        return query
        select * from headgate._lease(p_runner, p_provider, v_passed.granted, v_passed.starts_at, p_is_probe, p_now);
    end if;
end;
$func$;

-- May the provider be asked now? Not while its gate or window is closed, nor in the last moments before a reset; after a breaker
-- only by one probe.
create or replace function headgate._openness(
    p_provider headgate.providers,
    p_now timestamptz,
    out is_open boolean,
    out is_probe boolean
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        coalesce(g.blocked_until <= p_now, true)
        and coalesce(w.blocked_until <= p_now, true)
        and (p_provider.quota is null or p_now < b.closes_at - p_provider.reset_guard)
        and not coalesce(g.opened > 0 and headgate._is_leased(g.probe_chunk_id), false),
        coalesce(g.opened > 0, false)
    from headgate._window_at(p_provider, p_now) as b
    left join headgate.provider_gates as g on g.provider_id = p_provider.provider_id
    left join headgate.quota_windows as w
        on w.provider_id = p_provider.provider_id and w.opened_at = b.opened_at;
$func$;
