-- Due after the next session missing from the watermark. A request is not repeated before new data can have been
-- published: a listing that did not trade has no bar for its last session, however often it is requested.

create or replace function headgate._session_due_at(
    p_provider_id bigint,
    p_calendar text,
    p_watermark timestamptz,
    p_now timestamptz,
    p_asked_at timestamptz default null
)
returns timestamptz
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    -- Past the end of the loaded calendar the pair stays due; doctor warns long before.
    select coalesce(
        greatest(
            (
                select s.closes_at + l.lag
                from headgate.trading_sessions as s
                where s.calendar = p_calendar
                    and s.session > (p_watermark at time zone 'UTC')::date
                order by s.session
                limit 1
            ),
            (
                select s.closes_at + l.lag
                from headgate.trading_sessions as s
                where s.calendar = p_calendar
                    and s.session > ((p_asked_at - l.lag) at time zone 'UTC')::date - 3
                    and s.closes_at + l.lag > p_asked_at
                order by s.session
                limit 1
            )
        ),
        p_now
    )
    from (select headgate._publication_lag(p_provider_id, p_calendar) as lag) as l;
$func$;
