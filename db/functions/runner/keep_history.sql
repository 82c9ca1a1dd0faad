-- A runner does a piece of the daily maintenance each time that it has counted, in a transaction of its own: hours that
-- are over are summed up, up to a million jobs, and the oldest runs are forgotten. What no runner has done is left to
-- headgate.maintain_history.

create or replace function headgate.keep_history()
returns table (forgotten_runs integer)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
begin
    perform headgate._keep_hours(1000000);
    return query
    select headgate._forget_runs(headgate.clock() - (s.value #>> '{}')::interval, 20000)
    from headgate.settings as s
    where s.name = 'keep_history';
end;
$func$;

comment on function headgate.keep_history() is
    'Sum up hours that are over, up to a million jobs, and delete up to 20,000 runs older than the setting '
    'keep_history, the oldest first; returns how many.';
