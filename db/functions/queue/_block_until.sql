-- Until when a provider or one of its operations is blocked, and why: because it says so (402, 429), or by a breaker
-- after too many failures in a row or too large a share of them. Everybody sees the block. The report at hand counts as
-- if it had been recorded.

create or replace function headgate._block_until(
    p_provider headgate.providers,
    p_operation_id bigint,
    p_block jsonb,
    p_outcomes text[],
    p_faults text[],
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
    v_of_provider headgate.breakers;
    v_of_operation headgate.breakers;
    v_trips record;
    v_window_blocked_until timestamptz;
begin
    select * into v_of_provider from headgate.breakers as b where b.provider_id = p_provider.provider_id;
    select * into v_of_operation from headgate.breakers as b where b.operation_id = p_operation_id;
    select case when w.blocked_until > p_now then w.blocked_until end
    into v_window_blocked_until
    from headgate._window_at(p_provider, p_now) as b
    join headgate.quota_windows as w on w.provider_id = p_provider.provider_id and w.opened_at = b.opened_at;

    if v_of_provider.blocked_until > p_now then
        provider_until := v_of_provider.blocked_until;
        provider_reason := case when v_of_provider.blocked_reason ~ '^(quota|provider): ' then '' else 'provider: ' end
            || coalesce(v_of_provider.blocked_reason, 'blocked');
    end if;
    if v_of_operation.blocked_until > p_now then
        blocked_until := v_of_operation.blocked_until;
        reason := v_of_operation.blocked_reason;
    end if;
    if p_faults @> array['provider'] then
        v_trips := headgate._tripped(p_provider, v_of_provider, v_of_operation, p_outcomes, p_faults, p_now);
        if v_trips.of_provider then
            provider_until := greatest(provider_until, headgate._cooled_at(p_provider, v_of_provider, p_now));
            provider_reason := headgate._breaker_reason(null);
        end if;
        if v_trips.of_operation then
            blocked_until := headgate._cooled_at(p_provider, v_of_operation, p_now);
            reason := headgate._breaker_reason(p_operation_id);
        end if;
    end if;
    if p_block ->> 'until' in ('retry_after', 'for') then
        provider_until := greatest(
            provider_until,
            p_now + make_interval(secs => greatest(0, least(86400, coalesce((p_block ->> 'seconds')::numeric, 60))))
        );
        provider_reason := 'quota: ' || coalesce(p_block ->> 'reason', 'the provider asks to wait');
    elsif p_block ->> 'until' = 'reset' or v_window_blocked_until is not null then
        provider_until := greatest(
            provider_until,
            v_window_blocked_until,
            (select w.closes_at from headgate._window_at(p_provider, p_now) as w)
        );
        provider_reason := 'quota: ' || coalesce(p_block ->> 'reason', 'the provider''s quota is used up');
    end if;
    blocked_until := greatest(blocked_until, provider_until);
    reason := coalesce(provider_reason, reason);
end;
$func$;
