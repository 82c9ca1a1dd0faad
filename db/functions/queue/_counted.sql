-- The gate with a report added to its share, which is counted for a minute from the first fault on. Without a fault in
-- the last minute nothing is counted, so that answers alone never need the gate.

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
