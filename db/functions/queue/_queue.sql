create or replace function headgate._queue(
    p_provider text,
    p_priority smallint
)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select p_provider || case when p_priority <= 3 then '_high' when p_priority <= 6 then '_normal' else '_low' end;
$func$;
