-- A service or a database: its address, limits and quota.

create or replace function headgate.put_provider(
    provider text,
    base_url text default null,
    description text default null,
    auth jsonb default null,
    secret_name text default null,
    headers jsonb default null,
    quota integer default null,
    quota_buffer integer default null,
    quota_period text default null,
    quota_zone text default null,
    reset_guard interval default null,
    requests_per_minute integer default null,
    burst integer default null,
    max_in_flight integer default null,
    breaker_failures integer default null,
    breaker_share numeric default null,
    breaker_cooldown interval default null,
    publication_lag interval default null,
    publication_lags jsonb default null,
    features text[] default null,
    kind text default null,
    hosts text[] default null
)
returns text
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    select headgate._declare('provider', put_provider.provider, jsonb_build_object(
        'base_url', put_provider.base_url,
        'description', put_provider.description,
        'auth', put_provider.auth,
        'secret_name', put_provider.secret_name,
        'headers', put_provider.headers,
        'quota', put_provider.quota,
        'quota_buffer', put_provider.quota_buffer,
        'quota_period', put_provider.quota_period,
        'quota_zone', put_provider.quota_zone,
        'reset_guard', put_provider.reset_guard,
        'requests_per_minute', put_provider.requests_per_minute,
        'burst', put_provider.burst,
        'max_in_flight', put_provider.max_in_flight,
        'breaker_failures', put_provider.breaker_failures,
        'breaker_share', put_provider.breaker_share,
        'breaker_cooldown', put_provider.breaker_cooldown,
        'publication_lag', put_provider.publication_lag,
        'publication_lags', headgate._as_lags(put_provider.provider, put_provider.publication_lags),
        'features', put_provider.features,
        'kind', put_provider.kind,
        'hosts', put_provider.hosts
    ));
$func$;

comment on function headgate.put_provider is
    'Declare a provider, by the columns of headgate.providers; base_url may be {asset.base_url}. Returns created, '
    'unchanged, or changed and what.';

-- Maps a calendar to its publication lag, an interval.
create or replace function headgate._as_lags(
    p_provider text,
    p_lags jsonb
)
returns jsonb
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    return (select jsonb_object_agg(l.key, l.value::interval) from jsonb_each_text(p_lags) as l (key, value));
exception
    when data_exception then
        perform headgate._note_mistake(
            'provider', p_provider, format('provider %s: publication_lags: %s', p_provider, sqlerrm),
            'calendar to interval, e.g. {"XNYS": "15 minutes"}'
        );
        return null;
end;
$func$;
