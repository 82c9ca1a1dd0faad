-- The gate: request tokens of the last sixty seconds, breakers that are half open, and the window's units, locked in this order,
-- once per claim.

create or replace function headgate._pass_gate(
    p_provider headgate.providers,
    p_chunks headgate.chunks[],
    p_is_probe boolean,
    p_now timestamptz
)
returns bigint[]
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_chunk headgate.chunks;
    v_granted bigint[] := '{}';
    v_calls integer := 0;
    v_tokens integer;
    v_half_open jsonb;
    v_operation_id bigint;
begin
    if p_provider.requests_per_minute is not null or p_is_probe then
        v_tokens := headgate._tokens_left(p_provider, p_is_probe, p_now);
    end if;
    if exists (select from headgate.operation_gates as k where k.opened > 0) then
        v_half_open := headgate._lock_half_open(p_chunks, p_now);
    end if;

    foreach v_chunk in array p_chunks loop
        v_operation_id := coalesce(v_chunk.call_operation_id, v_chunk.operation_id);
        continue when v_calls + v_chunk.calls > v_tokens
            or (v_half_open -> v_operation_id::text)::boolean is false  -- its probe is out
            or not headgate._spend_lease(p_provider, v_chunk, p_now);
        v_granted := v_granted || v_chunk.chunk_id;
        v_calls := v_calls + v_chunk.calls;
        if v_half_open ? v_operation_id::text then
            v_half_open := v_half_open || jsonb_build_object(v_operation_id, false);
            update headgate.operation_gates as k
            set probe_chunk_id = v_chunk.chunk_id
            where k.operation_id = v_operation_id;
        end if;
    end loop;

    if v_calls > 0 and p_provider.requests_per_minute is not null or p_is_probe and v_granted <> '{}' then
        update headgate.provider_gates as g
        set rate_slots[1 + g.rate_second % 60] = g.rate_slots[1 + g.rate_second % 60] + v_calls,
            probe_chunk_id = case when p_is_probe then v_granted[1] else g.probe_chunk_id end
        where g.provider_id = p_provider.provider_id;
    end if;
    return v_granted;
end;
$func$;

-- Lock the breakers that are half open among these chunks' operations: for each, whether a probe may go now.
create or replace function headgate._lock_half_open(
    p_chunks headgate.chunks[],
    p_now timestamptz
)
returns jsonb
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce(jsonb_object_agg(h.operation_id, not headgate._is_shut(h.operation_id, p_now)), '{}')
    from (
        select k.operation_id
        from headgate.operation_gates as k
        where k.opened > 0
            and k.operation_id in (select coalesce(u.call_operation_id, u.operation_id) from unnest(p_chunks) as u)
        order by k.operation_id
        for update
    ) as h;
$func$;

-- Lock the gate, bring its slots up to now, and count what sixty seconds still allow. 0 when it has closed meanwhile, or
-- another probe is out. A slot is a fifty-ninth of a minute: with the one that has just begun, sixty cover any minute.
create or replace function headgate._tokens_left(
    p_provider headgate.providers,
    p_is_probe boolean,
    p_now timestamptz
)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_second bigint := floor(extract(epoch from p_now) * 59 / 60);
    v_gate headgate.provider_gates;
    v_used integer;
    v_this_second integer;
begin
    select * into v_gate from headgate.provider_gates as g where g.provider_id = p_provider.provider_id for update;
    if v_gate.blocked_until > p_now or (v_gate.opened > 0) <> p_is_probe or v_gate.opened > 0 and headgate._is_leased(v_gate.probe_chunk_id) then
        return 0;
    elsif p_provider.requests_per_minute is null then
        return null;
    end if;

    if v_gate.rate_second - v_second between 1 and 59 then
        v_second := v_gate.rate_second;  -- we read the clock, then somebody was faster
    elsif v_second - v_gate.rate_second not between 0 and 59 then
        v_gate.rate_slots := array_fill(0, array[60]);
    else
        for v_gone in v_gate.rate_second + 1 .. v_second loop
            v_gate.rate_slots[1 + v_gone % 60] := 0;
        end loop;
    end if;
    update headgate.provider_gates as g
    set rate_slots = v_gate.rate_slots, rate_second = v_second
    where g.provider_id = p_provider.provider_id
        and g.rate_second <> v_second;

    select coalesce(sum(u.calls), 0) into v_used from unnest(v_gate.rate_slots) as u (calls);
    v_this_second := v_gate.rate_slots[1 + v_second % 60];
    return greatest(0, least(
        p_provider.requests_per_minute - v_used,
        case when p_provider.burst is not null and v_this_second > 0 then p_provider.burst - v_this_second end
    ));
end;
$func$;

-- Reserved becomes spent. A dead window's promise is let go and taken anew from the open one; a second delivery pays again.
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
        return headgate._move_units(p_provider.provider_id, p_chunk.window_opened_at, -p_chunk.units, 0);  -- it had one
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
