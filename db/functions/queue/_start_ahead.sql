-- How far ahead start times are granted: enough for a runner to get its next chunk before the last call of the previous
-- one starts.

create or replace function headgate._start_ahead()
returns interval
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select interval '2 seconds';
$func$;
