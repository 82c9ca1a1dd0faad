-- An operation's breaker in the form of a provider's, so that the same functions apply.

create or replace function headgate._as_breaker(p_own headgate.operation_breakers)
returns headgate.provider_breakers
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_breaker headgate.provider_breakers;
begin
    v_breaker.failures := coalesce(p_own.failures, 0);
    v_breaker.opened := coalesce(p_own.opened, 0);
    v_breaker.blocked_until := p_own.blocked_until;
    v_breaker.counted_since := p_own.counted_since;
    v_breaker.counted_faults := coalesce(p_own.counted_faults, 0);
    v_breaker.counted_answers := coalesce(p_own.counted_answers, 0);
    return v_breaker;
end;
$func$;
