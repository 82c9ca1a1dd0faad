-- What a service says of itself: ok and healthy are healthy, degraded is degraded, anything else is unhealthy.

create or replace function viral.service_status(p_status integer, p_body text)
returns text
language sql
immutable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when p_status is distinct from 200 or p_body is not json object then 'unhealthy'
        when p_body::jsonb ->> 'status' in ('ok', 'healthy') then 'healthy'
        when p_body::jsonb ->> 'status' = 'degraded' then 'degraded'
        else 'unhealthy'
    end;
$func$;

comment on function viral.service_status(integer, text) is
    'healthy, degraded or unhealthy, by the answer to GET /health.';
