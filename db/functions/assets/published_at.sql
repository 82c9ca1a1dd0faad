create or replace function headgate.published_at(
    p_provider text,
    p_calendar text,
    p_session date
)
returns timestamptz
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select t.closes_at + coalesce(l.lag, p.publication_lag)
    from headgate.trading_sessions as t
    cross join headgate.providers as p
    left join headgate.publication_lags as l on l.provider_id = p.provider_id and l.calendar = t.calendar
    where p.name = p_provider
        and t.calendar = p_calendar
        and t.session = p_session;
$func$;

comment on function headgate.published_at(text, text, date) is
    'When a provider has the data of a session: its close plus the publication lag; null if there is no such session.';
