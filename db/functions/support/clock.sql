-- The only source of time. If the owner allows it (settings.test_clock), a session may shift it: headgate.clock_offset
-- runs on from a shifted time, headgate.clock_frozen stands still. Safe in parallel, or no view that reads it would be.

create or replace function headgate.clock()
returns timestamptz
language plpgsql
stable
parallel safe
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_offset constant text := nullif(current_setting('headgate.clock_offset', true), '');
    v_frozen constant text := nullif(current_setting('headgate.clock_frozen', true), '');
begin
    if (v_offset is not null or v_frozen is not null)
        and exists (select from headgate.settings as s where s.name = 'test_clock' and s.value = 'true')
    then
        return coalesce(v_frozen::timestamptz, clock_timestamp() + v_offset::interval);
    end if;

    return clock_timestamp();
end;
$func$;

comment on function headgate.clock() is
    'The current time for planning; read once per function. Leases use real time instead.';
