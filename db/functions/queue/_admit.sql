-- Admit chunks: grant start times, let half-open breakers through for a probe, and spend units of the window, locked in
-- this order once per claim. A chunk whose calls could not start soon is left for a runner that is free by then. Calls
-- that the runner has no room for (p_room; null: for all) get no start times, nor do those that the cache may serve:
-- the runner asks for these later.

create or replace function headgate._admit(
    p_provider headgate.providers,
    p_chunks headgate.chunks[],
    p_is_probe boolean,
    p_room integer,
    p_now timestamptz,
    out granted bigint[],
    out starts_at timestamptz[],
    out starts integer[]
)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_chunk headgate.chunks;
    v_first timestamptz;
    v_next timestamptz;
    v_is_paced constant boolean := p_provider.start_every is not null;
    v_half_open jsonb;
    v_operation_id bigint;
    v_room integer := case when p_room is not null then greatest(0, least(p_room, p_provider.max_in_flight)) end;
    v_starts integer;
    v_cached bigint[];  -- operations whose calls take start times after the cache has been asked
    v_has_half_open boolean;
begin
    granted := '{}';
    starts_at := '{}';
    starts := '{}';
    if p_is_probe and not headgate._lock_probe(p_provider, p_now) then
        return;
    end if;
    select
        exists (select from headgate.breakers as b where b.opened > 0 and b.operation_id is not null),
        case
            when v_is_paced and coalesce(v_room, 1) > 0
                then array(select o.operation_id from headgate.operations as o where o.cache is not null)
        end
    into v_has_half_open, v_cached;
    if v_has_half_open then
        v_half_open := headgate._lock_half_open(p_chunks, p_now);
    end if;
    if v_is_paced then
        v_first := headgate._next_start(p_provider, p_is_probe, p_now);
        v_next := v_first;
    end if;

    foreach v_chunk in array p_chunks loop
        v_operation_id := v_chunk.call_operation_id;
        continue when v_chunk.calls > 0 and v_next > p_now + headgate._start_ahead()
            or (v_half_open -> v_operation_id::text)::boolean is false  -- its probe is in flight
            or not headgate._spend_lease(p_provider, v_chunk, p_now);
        granted := granted || v_chunk.chunk_id;
        starts_at := starts_at || case when v_is_paced and v_chunk.calls > 0 then v_next end;
        v_starts := case when v_operation_id = any (v_cached) then 0 else least(v_chunk.calls, v_room) end;
        starts := starts || case when p_room is not null then v_starts end;
        v_next := v_next + p_provider.start_every * v_starts;
        v_room := v_room - v_starts;
        if v_half_open ? v_operation_id::text then
            v_half_open := v_half_open || jsonb_build_object(v_operation_id, false);
            update headgate.breakers as b
            set probe_chunk_id = v_chunk.chunk_id
            where b.operation_id = v_operation_id;
        end if;
    end loop;

    if v_next > v_first then
        update headgate.rate_limiters as r set next_start_at = v_next where r.provider_id = p_provider.provider_id;
    end if;
    if granted <> '{}' and p_is_probe then
        update headgate.breakers as b set probe_chunk_id = granted[1] where b.provider_id = p_provider.provider_id;
    end if;
end;
$func$;

-- Lock the provider's breaker: may a probe still go?
create or replace function headgate._lock_probe(
    p_provider headgate.providers,
    p_now timestamptz
)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_breaker headgate.breakers;
begin
    select * into v_breaker from headgate.breakers as b where b.provider_id = p_provider.provider_id for update;
    return coalesce(v_breaker.blocked_until <= p_now, true)
        and v_breaker.opened > 0
        and not headgate._is_leased(v_breaker.probe_chunk_id);
end;
$func$;

-- Lock the half-open breakers of these chunks' operations: for each, whether a probe may start.
create or replace function headgate._lock_half_open(
    p_chunks headgate.chunks[],
    p_now timestamptz
)
returns jsonb
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce(jsonb_object_agg(h.operation_id, not headgate._is_blocked(h.operation_id, p_now)), '{}')
    from (
        select b.operation_id
        from headgate.breakers as b
        where b.opened > 0
            and b.operation_id in (select u.call_operation_id from unnest(p_chunks) as u)
        order by b.operation_id
        for update
    ) as h;
$func$;

-- Lock the rate limiter and return when the next request may start. Infinity if the provider's breaker has changed
-- meanwhile.
create or replace function headgate._next_start(
    p_provider headgate.providers,
    p_is_probe boolean,
    p_now timestamptz
)
returns timestamptz
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_next timestamptz;
begin
    select r.next_start_at into v_next
    from headgate.rate_limiters as r
    where r.provider_id = p_provider.provider_id
    for update;
    if exists (
        select
        from headgate.breakers as b
        where b.provider_id = p_provider.provider_id
            and (b.blocked_until > p_now or (b.opened > 0) <> p_is_probe)
    )
    then
        return 'infinity';
    end if;
    return headgate._first_start(p_provider, v_next, p_now);
end;
$func$;

-- Reserved units become spent. A reservation of a past window is released and taken again from the current one; a
-- second delivery is charged again.
create or replace function headgate._spend_lease(
    p_provider headgate.providers,
    p_chunk headgate.chunks,
    p_now timestamptz
)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_opened_at timestamptz;
begin
    if p_provider.quota is null and p_chunk.state = 'queued' then
        -- it had a quota before
        return headgate._move_units(p_provider.provider_id, p_chunk.window_opened_at, -p_chunk.units, 0);
    elsif p_provider.quota is null or p_chunk.units = 0 then
        return true;
    end if;
    select w.opened_at into v_opened_at from headgate._window_at(p_provider, p_now) as w;

    if p_chunk.state = 'queued' and p_chunk.window_opened_at = v_opened_at then
        return headgate._move_units(p_provider.provider_id, v_opened_at, -p_chunk.units, p_chunk.units);
    end if;
    perform headgate._open_window(p_provider, p_now);
    if not headgate._move_units(p_provider.provider_id, v_opened_at, 0, p_chunk.units) then
        return false;
    end if;
    if p_chunk.state = 'queued' then
        perform headgate._move_units(p_provider.provider_id, p_chunk.window_opened_at, -p_chunk.units, 0);
    end if;
    return true;
end;
$func$;
