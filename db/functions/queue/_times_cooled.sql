-- A provider that was only suspected has not been blocked yet.

create or replace function headgate._times_cooled(p_breaker headgate.breakers)
returns integer
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select case when p_breaker.blocked_until is null then 0 else p_breaker.opened end;
$func$;
