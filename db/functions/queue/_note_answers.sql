-- Update the breakers, the provider's first: an answer closes a breaker, failures add up, a block lasts until its time.

create or replace function headgate._note_answers(
    p_provider headgate.providers,
    p_operation_id bigint,
    p_chunk headgate.chunks,
    p_outcomes text[],
    p_faults text[],
    p_block jsonb,
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
    v_breaker headgate.provider_breakers;
    v_own headgate.operation_breakers;
    v_trips record;
begin
    if p_chunk.calls = 0 then
        return;  -- no call was made
    end if;
    v_report := headgate._answers_of(p_outcomes, p_faults);
    select * into v_breaker from headgate.provider_breakers as g where g.provider_id = p_provider.provider_id;
    select * into v_own from headgate.operation_breakers as k where k.operation_id = p_operation_id;
    if v_report.faults > 0 or v_report.auth_failures > 0 or p_block is not null
        or v_report.answers > 0 and (
            v_breaker.auth_failures > 0
            or headgate._is_watched(v_breaker, v_breaker.probe_chunk_id, p_now)
            or v_own.operation_id is not null
                and headgate._is_watched(headgate._as_breaker(v_own), v_own.probe_chunk_id, p_now)
        )
    then
        select *
        into v_breaker
        from headgate.provider_breakers as g
        where g.provider_id = p_provider.provider_id
        for update;
        if v_report.faults > 0 then
            insert into headgate.operation_breakers (operation_id) values (p_operation_id) on conflict do nothing;
        end if;
        select * into v_own from headgate.operation_breakers as k where k.operation_id = p_operation_id for update;
        v_trips := headgate._tripped(p_provider, p_operation_id, v_breaker, v_own, p_outcomes, p_faults, p_now);
        perform headgate._note_provider(
            p_provider, v_breaker, p_chunk.chunk_id,
            case when v_own.blocked_until > p_now then 0 else v_report.faults end,
            v_report.answers, v_report.auth_failures,
            v_trips.of_provider, v_trips.is_suspected,
            case
                when p_provider.quota is null or p_block ->> 'until' is distinct from 'reset' then p_blocked_until
            end,
            p_reason, p_now
        );
        perform headgate._note_operation(
            p_provider, v_own, p_chunk.chunk_id, v_report.faults, v_report.answers, v_trips.of_operation, p_now
        );
        perform headgate._alert_breakers(p_provider.provider_id, p_operation_id, p_now);
    end if;
    if p_block ->> 'until' = 'reset' then
        update headgate.quota_windows as w
        set blocked_until = w.closes_at
        from headgate._window_at(p_provider, p_now) as b
        where w.provider_id = p_provider.provider_id
            and w.opened_at = b.opened_at;
    end if;
end;
$func$;

-- Whether an answer changes anything here.
create or replace function headgate._is_watched(
    p_breaker headgate.provider_breakers,
    p_probe_chunk_id bigint,
    p_now timestamptz
)
returns boolean
language sql
stable
as $func$
    select p_breaker.failures > 0
        or p_breaker.opened > 0
        or p_probe_chunk_id is not null
        or coalesce(p_breaker.counted_since >= p_now - interval '1 minute', false);
$func$;

create or replace function headgate._note_provider(
    p_provider headgate.providers,
    p_breaker headgate.provider_breakers,
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
    v_breaker headgate.provider_breakers := headgate._counted(p_breaker, p_faults, p_answers, p_now);
begin
    if p_trips or p_is_suspected or v_breaker.opened > 0 then
        v_breaker.counted_since := null;  -- a breaker that opens or closes starts a new count
    end if;
    update headgate.provider_breakers as g
    set failures = case when p_answers > 0 or p_trips or p_is_suspected then 0 else g.failures + p_faults end,
        auth_failures = case when p_answers > 0 then 0 else g.auth_failures + p_auth_failures end,
        opened = case
            when p_trips then least(10, headgate._times_cooled(g) + 1)
            when p_is_suspected then greatest(1, g.opened)
            when p_answers > 0 then 0
            else g.opened
        end,
        counted_since = v_breaker.counted_since,
        counted_faults = v_breaker.counted_faults,
        counted_answers = v_breaker.counted_answers,
        probe_chunk_id = case when g.probe_chunk_id = p_chunk_id then null else g.probe_chunk_id end,
        blocked_until = greatest(
            case when not p_is_suspected then g.blocked_until end,
            p_blocked_until,
            case when p_trips then headgate._cooled_at(p_provider, g, p_now) end
        ),
        blocked_reason = coalesce(
            p_reason, case when p_trips then 'provider: the breaker is open' end, g.blocked_reason
        )
    where g.provider_id = p_breaker.provider_id;
end;
$func$;

create or replace function headgate._note_operation(
    p_provider headgate.providers,
    p_own headgate.operation_breakers,
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
    v_breaker headgate.provider_breakers := headgate._counted(headgate._as_breaker(p_own), p_faults, p_answers, p_now);
begin
    if p_trips or v_breaker.opened > 0 then
        v_breaker.counted_since := null;
    end if;
    update headgate.operation_breakers as k
    set failures = case when p_answers > 0 or p_trips then 0 else k.failures + p_faults end,
        opened = case when p_trips then least(10, k.opened + 1) when p_answers > 0 then 0 else k.opened end,
        counted_since = v_breaker.counted_since,
        counted_faults = v_breaker.counted_faults,
        counted_answers = v_breaker.counted_answers,
        probe_chunk_id = case when k.probe_chunk_id = p_chunk_id then null else k.probe_chunk_id end,
        blocked_until = case
            when p_trips then headgate._cooled_at(p_provider, headgate._as_breaker(k), p_now)
            else k.blocked_until
        end,
        blocked_reason = case when p_trips then headgate._breaker_reason(k.operation_id) else k.blocked_reason end
    where k.operation_id = p_own.operation_id;
end;
$func$;
