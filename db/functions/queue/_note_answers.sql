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
    v_of_provider headgate.breakers;
    v_of_operation headgate.breakers;
    v_trips record;
begin
    if p_chunk.calls = 0 then
        return;  -- no call was made
    end if;
    v_report := headgate._answers_of(p_outcomes, p_faults);
    if v_report.faults > 0
        or v_report.auth_failures > 0
        or p_block is not null
        or v_report.answers > 0 and headgate._is_watched(p_provider.provider_id, p_operation_id, p_now)
    then
        select * into v_of_provider from headgate.breakers as b where b.provider_id = p_provider.provider_id for update;
        select * into v_of_operation from headgate.breakers as b where b.operation_id = p_operation_id for update;
        v_trips := headgate._tripped(p_provider, v_of_provider, v_of_operation, p_outcomes, p_faults, p_now);
        perform headgate._move_breaker(
            p_provider, v_of_provider, p_chunk.chunk_id,
            -- What fails while its operation is blocked was already under way.
            case when v_of_operation.blocked_until > p_now then 0 else v_report.faults end,
            v_report.answers, v_report.auth_failures, v_trips.of_provider, v_trips.is_suspected,
            case
                when p_provider.quota is null or p_block ->> 'until' is distinct from 'reset' then p_blocked_until
            end,
            p_reason, p_now
        );
        perform headgate._move_breaker(
            p_provider, v_of_operation, p_chunk.chunk_id, v_report.faults, v_report.answers, v_report.auth_failures,
            v_trips.of_operation, false, null, null, p_now
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
    p_provider_id bigint,
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
        from headgate.breakers as b
        where (b.provider_id = p_provider_id or b.operation_id = p_operation_id)
            and (
                greatest(b.failures, b.auth_failures, b.opened) > 0
                or b.probe_chunk_id is not null
                or b.counted_since >= p_now - interval '1 minute'
            )
    );
$func$;

create or replace function headgate._move_breaker(
    p_provider headgate.providers,
    p_breaker headgate.breakers,
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
    v_breaker headgate.breakers := headgate._counted(p_breaker, p_faults, p_answers, p_now);
begin
    if p_trips or p_is_suspected or v_breaker.opened > 0 then
        v_breaker.counted_since := null;  -- a breaker that opens or closes starts a new count
    end if;
    update headgate.breakers as b
    set failures = case when p_answers > 0 or p_trips or p_is_suspected then 0 else b.failures + p_faults end,
        auth_failures = case when p_answers > 0 then 0 else b.auth_failures + p_auth_failures end,
        opened = case
            when p_trips then least(10, headgate._times_cooled(b) + 1)
            when p_is_suspected then greatest(1, b.opened)
            when p_answers > 0 then 0
            else b.opened
        end,
        counted_since = v_breaker.counted_since,
        counted_faults = v_breaker.counted_faults,
        counted_answers = v_breaker.counted_answers,
        probe_chunk_id = case when b.probe_chunk_id = p_chunk_id then null else b.probe_chunk_id end,
        blocked_until = greatest(
            case when not p_is_suspected then b.blocked_until end,
            p_blocked_until,
            case when p_trips then headgate._cooled_at(p_provider, b, p_now) end
        ),
        blocked_reason = coalesce(
            p_reason, case when p_trips then headgate._breaker_reason(b.operation_id) end, b.blocked_reason
        )
    where b.breaker_id = p_breaker.breaker_id;
end;
$func$;
