-- Sessions by the calendar's current rules. Future sessions that the rules no longer contain are deleted, such as a
-- holiday that was announced late. Past sessions stay.

create or replace function headgate.ingest_sessions(
    p_context jsonb,
    p_asset_ids bigint[],
    p_rows headgate.calendar_session[]
)
returns setof headgate.ingest_result
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := (p_context ->> 'now')::timestamptz;
begin
    return query
    with span as (
        select r.asset_id, r.calendar, min(r.session) as first_session, max(r.session) as last_session
        from unnest(p_rows) as r
        group by r.asset_id, r.calendar
    ),
    gone as (
        delete from headgate.trading_sessions as t
        using span as s
        where t.calendar = s.calendar
            and t.session between s.first_session and s.last_session
            and t.opens_at > v_now
            and not exists (select from unnest(p_rows) as r where r.calendar = t.calendar and r.session = t.session)
        returning t.calendar
    ),
    changed as (
        insert into headgate.trading_sessions as t (calendar, session, opens_at, closes_at, is_early_close)
        select r.calendar, r.session, r.opens_at, r.closes_at, r.is_early_close
        from unnest(p_rows) as r
        on conflict (calendar, session) do update
        set opens_at = excluded.opens_at,
            closes_at = excluded.closes_at,
            is_early_close = excluded.is_early_close
        where (t.opens_at, t.closes_at, t.is_early_close)
            is distinct from (excluded.opens_at, excluded.closes_at, excluded.is_early_close)
        returning t.calendar
    ),
    counted as (
        select c.calendar, count(*)::integer as records
        from (select g.calendar from gone as g union all select n.calendar from changed as n) as c
        group by c.calendar
    )
    select s.asset_id, 'success', coalesce(c.records, 0), s.last_session::timestamp at time zone 'UTC', null::text
    from span as s
    left join counted as c using (calendar);
end;
$func$;

comment on function headgate.ingest_sessions(jsonb, bigint[], headgate.calendar_session[]) is
    'Ingest function of trading_calendars: sessions that a handler computed, into the trading calendar.';
