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
