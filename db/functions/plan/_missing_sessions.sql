-- Published sessions of a calendar since a given one; null if there are more than p_most.

create or replace function headgate._missing_sessions(
    p_provider_id bigint,
    p_calendar text,
    p_missing_from date,
    p_at timestamptz,
    p_is_daily boolean,
    p_most integer
)
returns date[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select case when count(*) <= p_most then array_agg(m.session order by m.session) end
    from (
        select s.session
        from headgate.trading_sessions as s
        where not p_is_daily
            and s.calendar = p_calendar
            and s.session > p_missing_from
            and s.session <= (p_at at time zone 'UTC')::date + 1
            and s.closes_at <= (select p_at - headgate._publication_lag(p_provider_id, p_calendar))
        union all
        select d.day::date
        from generate_series(p_missing_from + 1, (p_at at time zone 'UTC')::date, interval '1 day') as d (day)
        where p_is_daily
        limit p_most + 1
    ) as m;
$func$;
