-- Is it a fault of our own: a secret, a setting, an ingest function that cannot work, a runner that died?
create or replace function headgate._is_internal(p_reason text)
returns boolean
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce(p_reason like 'house: %', false);
$func$;
