-- Which breakers a report opens. If all faults are of one operation and the provider has another one to call, only that
-- operation is blocked: the other's next chunk probes the provider. Failures of calls that were in flight when the
-- operation was blocked say nothing new.

create or replace function headgate._tripped(
    p_provider headgate.providers,
    p_of_provider headgate.breakers,
    p_of_operation headgate.breakers,
    p_outcomes text[],
    p_faults text[],
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
    of_operation := headgate._trips(p_provider, p_of_operation, p_outcomes, p_faults, p_now);
    of_provider := coalesce(p_of_operation.blocked_until <= p_now, true)
        and headgate._trips(p_provider, p_of_provider, p_outcomes, p_faults, p_now);
    is_suspected := of_provider
        and of_operation
        and p_of_provider.failures <= p_of_operation.failures
        and exists (
            select
            from headgate.chunks as c
            join headgate.breakers as b on b.operation_id = c.call_operation_id
            where c.provider_id = p_provider.provider_id
                and c.state in ('queued', 'leased')
                and c.calls > 0
                and b.operation_id <> p_of_operation.operation_id
                and b.opened = 0
                and coalesce(b.blocked_until <= p_now, true)
        );
    of_provider := of_provider and not is_suspected;
end;
$func$;

-- Enough provider faults in a row, or too large a share of a minute's answers, including this report; a failed probe
-- opens it at once. While it is open, calls in flight may fail without counting. Internal faults (a rejected token) say
-- nothing about the provider: once corrected, the next run continues at once.
create or replace function headgate._trips(
    p_provider headgate.providers,
    p_breaker headgate.breakers,
    p_outcomes text[],
    p_faults text[],
    p_now timestamptz
)
returns boolean
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select r.faults > 0
        and coalesce(p_breaker.blocked_until <= p_now, true)
        and (
            r.answers = 0 and (p_breaker.opened > 0 or p_breaker.failures + r.faults >= p_provider.breaker_failures)
            or p_breaker.opened = 0
            and c.counted_faults + c.counted_answers >= 2 * p_provider.breaker_failures
            and c.counted_faults >= p_provider.breaker_share * (c.counted_faults + c.counted_answers)
        )
    from headgate._answers_of(p_outcomes, p_faults) as r
    cross join lateral headgate._counted(p_breaker, r.faults, r.answers, p_now) as c;
$func$;
