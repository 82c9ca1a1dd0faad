-- Keep the gates' book, the provider's first: an answer closes a breaker, failures add up, a closing lasts until its
-- time.

create or replace function headgate._note_answers(
    p_provider headgate.providers,
    p_operation_id bigint,
    p_chunk headgate.chunks,
    p_outcomes text[],
    p_blames text[],
    p_closing jsonb,
    p_blocked_until timestamptz,
    p_reason text,
    p_now timestamptz
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_report record;
    v_gate headgate.provider_gates;
    v_own headgate.operation_gates;
    v_trips record;
begin
    if p_chunk.calls = 0 then
        return;  -- nobody was asked
    end if;
    v_report := headgate._answers_of(p_outcomes, p_blames);
    select * into v_gate from headgate.provider_gates as g where g.provider_id = p_provider.provider_id;
    select * into v_own from headgate.operation_gates as k where k.operation_id = p_operation_id;
    if v_report.faults > 0 or v_report.auth_failures > 0 or p_closing is not null
        or v_report.answers > 0 and (
            v_gate.auth_failures > 0
            or headgate._is_watched(v_gate, v_gate.probe_chunk_id, p_now)
            or v_own.operation_id is not null
                and headgate._is_watched(headgate._as_gate(v_own), v_own.probe_chunk_id, p_now)
        )
    then
        select * into v_gate from headgate.provider_gates as g where g.provider_id = p_provider.provider_id for update;
        if v_report.faults > 0 then
            insert into headgate.operation_gates (operation_id) values (p_operation_id) on conflict do nothing;
        end if;
        select * into v_own from headgate.operation_gates as k where k.operation_id = p_operation_id for update;
        v_trips := headgate._tripped(p_provider, p_operation_id, v_gate, v_own, p_outcomes, p_blames, p_now);
        perform headgate._note_provider(
            p_provider, v_gate, p_chunk.chunk_id,
            case when v_own.blocked_until > p_now then 0 else v_report.faults end,
            v_report.answers, v_report.auth_failures,
            v_trips.of_provider, v_trips.is_suspected,
            case
                when p_provider.quota is null or p_closing ->> 'until' is distinct from 'reset' then p_blocked_until
            end,
            p_reason, p_now
        );
        perform headgate._note_operation(
            p_provider, v_own, p_chunk.chunk_id, v_report.faults, v_report.answers, v_trips.of_operation, p_now
        );
        perform headgate._alert_gates(p_provider.provider_id, p_operation_id, p_now);
    end if;
    if p_closing ->> 'until' = 'reset' then
        update headgate.quota_windows as w
        set blocked_until = w.closes_at
        from headgate._window_at(p_provider, p_now) as b
        where w.provider_id = p_provider.provider_id
            and w.opened_at = b.opened_at;
    end if;
end;
$func$;

-- Does an answer change anything here?
create or replace function headgate._is_watched(
    p_gate headgate.provider_gates,
    p_probe_chunk_id bigint,
    p_now timestamptz
)
returns boolean
language sql
stable
as $func$
    select p_gate.failures > 0
        or p_gate.opened > 0
        or p_probe_chunk_id is not null
        or coalesce(p_gate.counted_since >= p_now - interval '1 minute', false);
$func$;

create or replace function headgate._note_provider(
    p_provider headgate.providers,
    p_gate headgate.provider_gates,
    p_chunk_id bigint,
    p_faults integer,
    p_answers integer,
    p_auth_failures integer,
    p_trips boolean,
    p_is_suspected boolean,
    p_blocked_until timestamptz,
    p_reason text,
    p_now timestamptz
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_gate headgate.provider_gates := headgate._counted(p_gate, p_faults, p_answers, p_now);
begin
    if p_trips or p_is_suspected or v_gate.opened > 0 then
        v_gate.counted_since := null;  -- a breaker that opens or closes begins anew
    end if;
    update headgate.provider_gates as g
    set failures = case when p_answers > 0 or p_trips or p_is_suspected then 0 else g.failures + p_faults end,
        auth_failures = case when p_answers > 0 then 0 else g.auth_failures + p_auth_failures end,
        opened = case
            when p_trips then least(10, headgate._times_cooled(g) + 1)
            when p_is_suspected then greatest(1, g.opened)
            when p_answers > 0 then 0
            else g.opened
        end,
        counted_since = v_gate.counted_since,
        counted_faults = v_gate.counted_faults,
        counted_answers = v_gate.counted_answers,
        probe_chunk_id = case when g.probe_chunk_id = p_chunk_id then null else g.probe_chunk_id end,
        blocked_until = greatest(
            case when not p_is_suspected then g.blocked_until end,
            p_blocked_until,
            case when p_trips then headgate._cooled_at(p_provider, g, p_now) end
        ),
        blocked_reason = coalesce(
            p_reason, case when p_trips then 'provider: the breaker is open' end, g.blocked_reason
        )
    where g.provider_id = p_gate.provider_id;
end;
$func$;

create or replace function headgate._note_operation(
    p_provider headgate.providers,
    p_own headgate.operation_gates,
    p_chunk_id bigint,
    p_faults integer,
    p_answers integer,
    p_trips boolean,
    p_now timestamptz
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_gate headgate.provider_gates := headgate._counted(headgate._as_gate(p_own), p_faults, p_answers, p_now);
begin
    if p_trips or v_gate.opened > 0 then
        v_gate.counted_since := null;
    end if;
    update headgate.operation_gates as k
    set failures = case when p_answers > 0 or p_trips then 0 else k.failures + p_faults end,
        opened = case when p_trips then least(10, k.opened + 1) when p_answers > 0 then 0 else k.opened end,
        counted_since = v_gate.counted_since,
        counted_faults = v_gate.counted_faults,
        counted_answers = v_gate.counted_answers,
        probe_chunk_id = case when k.probe_chunk_id = p_chunk_id then null else k.probe_chunk_id end,
        blocked_until = case
            when p_trips then headgate._cooled_at(p_provider, headgate._as_gate(k), p_now)
            else k.blocked_until
        end,
        blocked_reason = case when p_trips then headgate._breaker_reason(k.operation_id) else k.blocked_reason end
    where k.operation_id = p_own.operation_id;
end;
$func$;
