-- Watches exchanges with loaded histories. An exchange becomes an asset, so that its symbol list is loaded; so do its
-- sessions, so that their splits, dividends and corrected bars are loaded. Exchanges without loaded histories cost
-- nothing. Every run repeats this, so a calendar that arrives after the first histories, or is extended, is caught up:
-- sessions since then, the last ones before (their bars may still be corrected), and those to come, as far ahead as the
-- setting days_watched says.

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
    v_exchanges jsonb;
    v_days jsonb;
begin
    select jsonb_agg(jsonb_build_object(
        'code', g.group_key, 'group_key', g.group_key, 'attributes', jsonb_build_object('watched_since', p_now)
    ) order by g.group_key)
    into v_exchanges
    from (select distinct u.group_key from unnest(p_group_keys) as u (group_key)) as g
    where not exists (
        select from headgate.v_assets as e where e.universe = 'equities_exchanges' and e.group_key = g.group_key
    );
    if v_exchanges is not null then
        perform headgate.upsert_assets('equities_exchanges', v_exchanges);
    end if;

    select jsonb_agg(jsonb_build_object(
        'code', d.group_key || ' ' || d.session, 'group_key', d.group_key, 'calendar', d.calendar,
        'attributes', jsonb_build_object('session', d.session)
    ))
    into v_days
    from equities._days_to_watch(p_group_keys, p_now) as d;
    if v_days is not null then
        perform headgate.upsert_assets('equities_days', v_days);
    end if;
end;
$func$;

comment on function equities._watch_groups(text[], timestamptz) is
    'Make exchanges, and their sessions since the first history and to come, assets.';

-- Sessions that are not watched yet, of exchanges whose watched sessions end within half of days_watched.
create or replace function equities._days_to_watch(
    p_group_keys text[],
    p_now timestamptz
)
returns table (group_key text, calendar text, session date)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    with watched as materialized (
        select
            e.group_key,
            coalesce((e.attributes ->> 'watched_since')::timestamptz, p_now) as since,
            (
                select max((d.attributes ->> 'session')::date)
                from headgate.v_assets as d
                where d.universe = 'equities_days' and d.group_key = e.group_key
            ) as known_to
        from headgate.v_assets as e
        where e.universe = 'equities_exchanges'
            and e.group_key = any (p_group_keys)
    )
    select w.group_key, t.calendar, t.session
    from watched as w
    cross join lateral (
        select min(l.calendar) as calendar
        from headgate.v_assets as l
        where l.universe = 'equities'
            and l.group_key = w.group_key
    ) as l
    left join lateral (
        select t.session
        from headgate.v_trading_sessions as t
        where t.calendar = l.calendar
            and t.session between (w.since - interval '60 days')::date and w.since::date
            and headgate.published_at('eodhd', t.calendar, t.session) <= w.since
        order by t.session desc
        offset equities._setting('corrections_last')::integer
        limit 1
    ) as b on true
    join headgate.v_trading_sessions as t on t.calendar = l.calendar
    where coalesce(
            w.known_to < (p_now + make_interval(days => equities._setting('days_watched')::integer / 2))::date, true
        )
        and t.session > coalesce(w.known_to, b.session, (w.since - interval '7 days')::date)
        and t.session <= (p_now + make_interval(days => equities._setting('days_watched')::integer))::date
    order by w.group_key, t.session;
$func$;

comment on function equities._days_to_watch(text[], timestamptz) is
    'Sessions of exchanges that are about to become assets.';
