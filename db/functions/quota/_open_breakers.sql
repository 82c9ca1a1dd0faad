-- Each provider has a rate limiter and a breaker, each operation that makes calls a breaker.

create or replace function headgate._open_breakers()
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    insert into headgate.rate_limiters (provider_id)
    select p.provider_id from headgate.providers as p
    on conflict do nothing;
    insert into headgate.breakers (provider_id, operation_id)
    select p.provider_id, null from headgate.providers as p
    union all
    select null, o.operation_id from headgate.operations as o where o.is_call
    on conflict do nothing;
end;
$func$;
