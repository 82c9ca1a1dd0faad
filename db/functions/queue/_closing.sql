-- Closing a provider, or one of its operations: by its own word (402, 429), or by a breaker after too many failures in a row, or
-- too large a share of them. For everybody, and visible. A report that is still to be noted is judged as it will be.

create or replace function headgate._closing(
    p_provider headgate.providers,
    p_operation_id bigint,
    p_closing jsonb,
    p_outcomes text[],
    p_blames text[],
    p_now timestamptz,
    out blocked_until timestamptz,
    out reason text,
    out provider_until timestamptz,
    out provider_reason text
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_gate headgate.provider_gates;
    v_own headgate.operation_gates;
    v_trips record;
    v_window_blocked_until timestamptz;
begin
    select * into v_gate from headgate.provider_gates as g where g.provider_id = p_provider.provider_id;
    select * into v_own from headgate.operation_gates as k where k.operation_id = p_operation_id;
    select case when w.blocked_until > p_now then w.blocked_until end
    into v_window_blocked_until
    from headgate._window_at(p_provider, p_now) as b
    join headgate.quota_windows as w on w.provider_id = p_provider.provider_id and w.opened_at = b.opened_at;

    if v_gate.blocked_until > p_now then
        provider_until := v_gate.blocked_until;
        provider_reason := case when v_gate.blocked_reason ~ '^(quota|provider): ' then '' else 'provider: ' end
            || coalesce(v_gate.blocked_reason, 'closed');
    end if;
    if v_own.blocked_until > p_now then
        blocked_until := v_own.blocked_until;
        reason := v_own.blocked_reason;
    end if;
    if p_blames @> array['provider'] then
        v_trips := headgate._tripped(p_provider, p_operation_id, v_gate, v_own, p_outcomes, p_blames, p_now);
        if v_trips.of_provider then
            provider_until := greatest(provider_until, headgate._cooled_at(p_provider, v_gate, p_now));
            provider_reason := 'provider: the breaker is open';
        end if;
        if v_trips.of_operation then
            blocked_until := headgate._cooled_at(p_provider, headgate._as_gate(v_own), p_now);
            reason := headgate._breaker_reason(p_operation_id);
        end if;
    end if;
    if p_closing ->> 'until' in ('retry_after', 'for') then
        provider_until := greatest(
            provider_until, p_now + make_interval(secs => greatest(0, least(86400, coalesce((p_closing ->> 'seconds')::numeric, 60))))
        );
        provider_reason := 'quota: ' || coalesce(p_closing ->> 'reason', 'the provider asks to wait');
    elsif p_closing ->> 'until' = 'reset' or v_window_blocked_until is not null then
        provider_until := greatest(
            provider_until, v_window_blocked_until, (select w.closes_at from headgate._window_at(p_provider, p_now) as w)
        );
        provider_reason := 'quota: ' || coalesce(p_closing ->> 'reason', 'the provider''s quota is used up');
    end if;
    blocked_until := greatest(blocked_until, provider_until);
    reason := coalesce(provider_reason, reason);
end;
$func$;

-- Which breakers a report opens. Faults that are all of one operation close that operation alone as long as there is another one
-- to ask: its next chunk is the provider's probe. What fails while its operation is closed was under way, and says nothing new.
create or replace function headgate._tripped(
    p_provider headgate.providers,
    p_operation_id bigint,
    p_gate headgate.provider_gates,
    p_own headgate.operation_gates,
    p_outcomes text[],
    p_blames text[],
    p_now timestamptz,
    out of_provider boolean,
    out of_operation boolean,
    out is_suspected boolean
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
begin
    of_operation := headgate._trips_breaker(p_provider, headgate._as_gate(p_own), p_outcomes, p_blames, p_now);
    of_provider := coalesce(p_own.blocked_until <= p_now, true)
        and headgate._trips_breaker(p_provider, p_gate, p_outcomes, p_blames, p_now);
    is_suspected := of_provider
        and of_operation
        and p_gate.failures <= coalesce(p_own.failures, 0)
        and exists (
            select
            from headgate.chunks as c
            left join headgate.operation_gates as k on k.operation_id = coalesce(c.call_operation_id, c.operation_id)
            where c.provider_id = p_provider.provider_id
                and c.state in ('queued', 'leased')
                and c.calls > 0
                and coalesce(c.call_operation_id, c.operation_id) <> p_operation_id
                and coalesce(k.opened, 0) = 0
                and coalesce(k.blocked_until <= p_now, true)
        );
    of_provider := of_provider and not is_suspected;
end;
$func$;

-- An operation's breaker as its provider's: they are judged alike.
create or replace function headgate._as_gate(p_own headgate.operation_gates)
returns headgate.provider_gates
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_gate headgate.provider_gates;
begin
    v_gate.failures := coalesce(p_own.failures, 0);
    v_gate.opened := coalesce(p_own.opened, 0);
    v_gate.blocked_until := p_own.blocked_until;
    v_gate.counted_since := p_own.counted_since;
    v_gate.counted_faults := coalesce(p_own.counted_faults, 0);
    v_gate.counted_answers := coalesce(p_own.counted_answers, 0);
    return v_gate;
end;
$func$;

-- Until when a breaker that opens now stays open: twice as long each time in a row.
create or replace function headgate._cooled_at(
    p_provider headgate.providers,
    p_gate headgate.provider_gates,
    p_now timestamptz
)
returns timestamptz
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select p_now + p_provider.breaker_cooldown * power(2, least(10, headgate._times_cooled(p_gate)));
$func$;

-- A provider that was only suspected has not been closed yet.
create or replace function headgate._times_cooled(p_gate headgate.provider_gates)
returns integer
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select case when p_gate.blocked_until is null then 0 else p_gate.opened end;
$func$;

create or replace function headgate._breaker_reason(p_operation_id bigint)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select format('provider: the breaker of %s is open', o.name)
    from headgate.operations as o
    where o.operation_id = p_operation_id;
$func$;

-- Enough failures of the provider in a row, or too large a share of a minute's answers, this report's included; a failed probe
-- counts at once. While it is closed, what was under way may fail as it likes.
-- A fault of the house (a refused token) says nothing about the provider: with it mended, the next run goes on at once.
create or replace function headgate._trips_breaker(
    p_provider headgate.providers,
    p_gate headgate.provider_gates,
    p_outcomes text[],
    p_blames text[],
    p_now timestamptz
)
returns boolean
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select r.faults > 0
        and coalesce(p_gate.blocked_until <= p_now, true)
        and (
            r.answers = 0 and (p_gate.opened > 0 or p_gate.failures + r.faults >= p_provider.breaker_failures)
            or p_gate.opened = 0
            and c.counted_faults + c.counted_answers >= 2 * p_provider.breaker_failures
            and c.counted_faults >= p_provider.breaker_share * (c.counted_faults + c.counted_answers)
        )
    from headgate._answers_of(p_outcomes, p_blames) as r
    cross join lateral headgate._counted(p_gate, r.faults, r.answers, p_now) as c;
$func$;

-- What a report says of the provider: its faults, its answers (a 404 is one), and auth_failures, which are the house's fault.
create or replace function headgate._answers_of(
    p_outcomes text[],
    p_blames text[],
    out faults integer,
    out answers integer,
    out auth_failures integer
)
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select
        count(*) filter (where u.outcome not in ('success', 'skipped', 'unsent') and u.blame = 'provider'),
        count(*) filter (where u.outcome in ('success', 'skipped') or u.outcome <> 'unsent' and u.blame in ('item', 'quota')),
        count(*) filter (where u.outcome not in ('success', 'skipped', 'unsent') and u.blame = 'house')
    from unnest(p_outcomes, p_blames) as u (outcome, blame);
$func$;

-- The gate with a report added to its share, which is counted for a minute from the first fault on. Without a fault in the last
-- minute nothing is counted, so that answers alone never need the gate.
create or replace function headgate._counted(
    p_gate headgate.provider_gates,
    p_faults integer,
    p_answers integer,
    p_now timestamptz
)
returns headgate.provider_gates
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $func$
begin
    if p_gate.counted_since is null or p_gate.counted_since < p_now - interval '1 minute' then
        p_gate.counted_since := case when p_faults > 0 then p_now end;
        p_gate.counted_faults := 0;
        p_gate.counted_answers := 0;
    end if;
    if p_gate.counted_since is not null then
        p_gate.counted_faults := p_gate.counted_faults + p_faults;
        p_gate.counted_answers := p_gate.counted_answers + p_answers;
    end if;
    return p_gate;
end;
$func$;

-- An ingest function that cannot work ends the execution as a refused token does.
create or replace function headgate._house_fault(p_results headgate.ingest_result[])
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select jsonb_build_object('until', 'execution', 'reason', r.reason)
    from unnest(p_results) as r
    where r.status = 'deferred'
    limit 1;
$func$;

-- A quota that was used up says nothing of the window that has opened since.
create or replace function headgate._live_closing(
    p_provider headgate.providers,
    p_chunk headgate.chunks,
    p_closing jsonb,
    p_now timestamptz
)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select p_closing
    where p_closing ->> 'until' <> 'reset'
        or p_chunk.window_opened_at is null
        or p_chunk.window_opened_at >= (select w.opened_at from headgate._window_at(p_provider, p_now) as w);
$func$;
