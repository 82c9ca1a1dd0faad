-- Until when a breaker that opens now stays open: twice as long each consecutive time.

create or replace function headgate._cooled_at(
    p_provider headgate.providers,
    p_breaker headgate.breakers,
    p_now timestamptz
)
returns timestamptz
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select p_now + p_provider.breaker_cooldown * power(2, least(10, headgate._times_cooled(p_breaker)));
$func$;
