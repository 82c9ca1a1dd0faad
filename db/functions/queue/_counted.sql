-- Add a report to the breaker's failure share, which is counted for a minute from the first fault. Without a fault in
-- the last minute nothing is counted, so answers alone never touch the breaker.

create or replace function headgate._counted(
    p_breaker headgate.breakers,
    p_faults integer,
    p_answers integer,
    p_now timestamptz
)
returns headgate.breakers
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $func$
begin
    if p_breaker.counted_since is null or p_breaker.counted_since < p_now - interval '1 minute' then
        p_breaker.counted_since := case when p_faults > 0 then p_now end;
        p_breaker.counted_faults := 0;
        p_breaker.counted_answers := 0;
    end if;
    if p_breaker.counted_since is not null then
        p_breaker.counted_faults := p_breaker.counted_faults + p_faults;
        p_breaker.counted_answers := p_breaker.counted_answers + p_answers;
    end if;
    return p_breaker;
end;
$func$;
