-- The reason of a parked job whose request another job is making; runners report it.
create or replace function headgate._equal_request()
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select 'an equal request is under way';
$func$;
