create or replace function headgate._breaker_reason(p_operation_id bigint)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select 'provider: the breaker' || coalesce(
        (select ' of ' || o.name from headgate.operations as o where o.operation_id = p_operation_id), ''
    ) || ' is open';
$func$;
