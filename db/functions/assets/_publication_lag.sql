-- How long after a session's close a provider has its data.

create or replace function headgate._publication_lag(
    p_provider_id bigint,
    p_calendar text
)
returns interval
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce(
        (
            select l.lag
            from headgate.publication_lags as l
            where l.provider_id = p_provider_id
                and l.calendar = p_calendar
        ),
        (select p.publication_lag from headgate.providers as p where p.provider_id = p_provider_id)
    );
$func$;
