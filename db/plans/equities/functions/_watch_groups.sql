-- Exchanges with loaded histories are watched: their sessions to come become assets, so that splits and dividends of each are
-- asked for, and they themselves, so that their lists of symbols are. What nobody has loaded costs nothing.

create or replace function equities._watch_groups(
    p_group_keys text[],
    p_now timestamptz
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_days jsonb;
    v_exchanges jsonb;
begin
    with watched as (
        select
            g.group_key,
            min(l.calendar) as calendar,
            (
                select max((d.attributes ->> 'session')::date)
                from headgate.v_assets as d
                where d.universe = 'equities_days' and d.group_key = g.group_key
            ) as known_to
        from (select distinct u.group_key from unnest(p_group_keys) as u (group_key)) as g
        join headgate.v_assets as l on l.universe = 'equities' and l.group_key = g.group_key
        group by g.group_key
    ),
    short as (
        select w.*
        from watched as w
        where coalesce(w.known_to < (p_now + make_interval(days => equities._setting('days_watched')::integer / 2))::date, true)
    )
    select
        jsonb_agg(jsonb_build_object(
            'code', s.group_key || ' ' || t.session, 'group_key', s.group_key, 'calendar', s.calendar,
            'attributes', jsonb_build_object('session', t.session)
        )) filter (where t.session is not null),
        jsonb_agg(distinct jsonb_build_object('code', s.group_key, 'group_key', s.group_key)) filter (where s.known_to is null)
    into v_days, v_exchanges
    from short as s
    left join headgate.v_trading_sessions as t
        on t.calendar = s.calendar
        and t.session <= (p_now + make_interval(days => equities._setting('days_watched')::integer))::date
        and (
            t.session > s.known_to
            or s.known_to is null and headgate.published_at('eodhd', t.calendar, t.session) > p_now
        )
        and t.session > (p_now - interval '1 year')::date;

    if v_exchanges is not null then
        perform headgate.upsert_assets('equities_exchanges', v_exchanges);
    end if;
    if v_days is not null then
        perform headgate.upsert_assets('equities_days', v_days);
    end if;
end;
$func$;

comment on function equities._watch_groups(text[], timestamptz) is
    'Make the coming sessions of exchanges, and the exchanges themselves, assets that are asked for.';
