-- The universe of an operation that names none: one asset, made and removed with it.

create or replace function headgate._implied_universe(p_operation text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select '_' || p_operation;
$func$;
