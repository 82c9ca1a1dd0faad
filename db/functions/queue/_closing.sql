-- Closing a provider: by its own word (402, 429), or by the breaker after too many failures in a row, or too large a share of
-- them. For everybody, and visible.

create or replace function headgate._closing(
    p_provider headgate.providers,
    p_closing jsonb,
    p_outcomes text[],
    p_blames text[],
    p_now timestamptz,
    out closed_until timestamptz,
    out reason text
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_gate headgate.provider_gates;
    v_window_closed_until timestamptz;
begin
    select * into v_gate from headgate.provider_gates as g where g.provider_id = p_provider.provider_id;
    select case when w.closed_until > p_now then w.closed_until end
    into v_window_closed_until
    from headgate._window_at(p_provider, p_now) as b
    join headgate.quota_windows as w on w.provider_id = p_provider.provider_id and w.opened_at = b.opened_at;

    if v_gate.closed_until > p_now then
        closed_until := v_gate.closed_until;
        reason := case when v_gate.closed_reason ~ '^(quota|provider): ' then '' else 'provider: ' end
            || coalesce(v_gate.closed_reason, 'closed');
    end if;
    if p_blames @> array['provider']
        and headgate._trips_breaker(p_provider, v_gate, p_outcomes, p_blames, p_now)
    then
        closed_until := greatest(
            closed_until, p_now + p_provider.breaker_cooldown * power(2, least(10, v_gate.opened))
        );
        reason := 'provider: the breaker is open';
    end if;
    if p_closing ->> 'until' in ('retry_after', 'for') then
        closed_until := greatest(
            closed_until, p_now + make_interval(secs => greatest(0, least(86400, coalesce((p_closing ->> 'seconds')::numeric, 60))))
        );
        reason := 'quota: ' || coalesce(p_closing ->> 'reason', 'the provider asks to wait');
    elsif p_closing ->> 'until' = 'reset' or v_window_closed_until is not null then
        closed_until := greatest(closed_until, v_window_closed_until, (select w.closes_at from headgate._window_at(p_provider, p_now) as w));
        reason := 'quota: ' || coalesce(p_closing ->> 'reason', 'the provider''s quota is used up');
    end if;
end;
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
        and coalesce(p_gate.closed_until <= p_now, true)
        and (
            r.answers = 0 and (p_gate.opened > 0 or p_gate.failures + r.faults >= p_provider.breaker_failures)
            or p_gate.opened = 0
            and c.counted_faults + c.counted_answers >= 2 * p_provider.breaker_failures
            and c.counted_faults >= p_provider.breaker_share * (c.counted_faults + c.counted_answers)
        )
    from headgate._answers_of(p_outcomes, p_blames) as r
    cross join lateral headgate._counted(p_gate, r.faults, r.answers, p_now) as c;
$func$;

-- What a report says of the provider: its faults, its answers (a 404 is one), and refusals, which are the house's fault.
create or replace function headgate._answers_of(
    p_outcomes text[],
    p_blames text[],
    out faults integer,
    out answers integer,
    out refusals integer
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

-- Keep the gate's book: an answer closes the breaker, failures add up, a closing lasts until its time.
create or replace function headgate._note_answers(
    p_provider headgate.providers,
    p_chunk headgate.chunks,
    p_outcomes text[],
    p_blames text[],
    p_closing jsonb,
    p_closed_until timestamptz,
    p_reason text,
    p_now timestamptz
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_report constant record := headgate._answers_of(p_outcomes, p_blames);
    v_gate headgate.provider_gates;
    v_trips boolean;
begin
    if p_chunk.calls = 0 then
        return;  -- nobody was asked
    end if;
    select * into v_gate from headgate.provider_gates as g where g.provider_id = p_provider.provider_id;
    if v_report.faults > 0 or v_report.refusals > 0 or p_closing is not null
        or v_report.answers > 0 and (
            v_gate.failures > 0 or v_gate.refusals > 0 or v_gate.opened > 0 or v_gate.probe_chunk_id is not null
            or v_gate.counted_since >= p_now - interval '1 minute'
        )
    then
        select * into v_gate from headgate.provider_gates as g where g.provider_id = p_provider.provider_id for update;
        v_trips := headgate._trips_breaker(p_provider, v_gate, p_outcomes, p_blames, p_now);
        v_gate := headgate._counted(v_gate, v_report.faults, v_report.answers, p_now);
        if v_trips or v_gate.opened > 0 then
            v_gate.counted_since := null;  -- a breaker that opens or closes begins anew
        end if;
        update headgate.provider_gates as g
        set failures = case when v_report.answers > 0 or v_trips then 0 else g.failures + v_report.faults end,
            refusals = case when v_report.answers > 0 then 0 else g.refusals + v_report.refusals end,
            opened = case when v_trips then least(10, g.opened + 1) when v_report.answers > 0 then 0 else g.opened end,
            counted_since = v_gate.counted_since,
            counted_faults = v_gate.counted_faults,
            counted_answers = v_gate.counted_answers,
            probe_chunk_id = case when g.probe_chunk_id = p_chunk.chunk_id then null else g.probe_chunk_id end,
            closed_until = greatest(
                g.closed_until,
                case when p_provider.quota is null or p_closing ->> 'until' is distinct from 'reset' then p_closed_until end,
                case when v_trips then p_now + p_provider.breaker_cooldown * power(2, least(10, g.opened)) end
            ),
            closed_reason = coalesce(p_reason, case when v_trips then 'provider: the breaker is open' end, g.closed_reason)
        where g.provider_id = p_provider.provider_id;
    end if;
    if p_closing ->> 'until' = 'reset' then
        update headgate.quota_windows as w
        set closed_until = w.closes_at
        from headgate._window_at(p_provider, p_now) as b
        where w.provider_id = p_provider.provider_id
            and w.opened_at = b.opened_at;
    end if;
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
