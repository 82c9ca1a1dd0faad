-- The error that a start would raise, checked beforehand, also by scheduler runs waiting for their turn.

create or replace function headgate.start_obstacle(p_pipeline text)
returns table (code text, message text, hint text)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select o.code, o.message, o.hint from headgate._start_obstacle(headgate._pipeline(p_pipeline)) as o;
$func$;

comment on function headgate.start_obstacle(text) is
    'Why a pipeline cannot be started now: retired (HG001), paused (HG013) or running (HG011); no row: it can.';
