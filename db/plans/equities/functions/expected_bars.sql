-- Listings are expected to trade in a session if they were listed then and traded in at least half of the last 20
-- sessions. Those 20 end with the last published session: if nothing has come for weeks, listings that traded before
-- are still expected.

create or replace function equities.expected_bars(
    p_group_key text,
    p_session date
)
returns table (asset_id bigint, is_there boolean)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    with past as materialized (
        select t.session
        from headgate.v_trading_sessions as t
        where t.session < p_session
            and t.session <= coalesce(
                (select u.published_to from equities.publications as u where u.group_key = p_group_key), p_session
            )
            and t.calendar = (
                select min(a.calendar)
                from headgate.v_assets as a
                where a.universe = 'equities'
                    and a.group_key = p_group_key
            )
        order by t.session desc
        limit 20
    )
    select
        a.asset_id,
        exists (select from equities.prices as t where t.asset_id = a.asset_id and t.date = p_session)
        or exists (select from equities.prices_quarantine as q where q.asset_id = a.asset_id and q.date = p_session)
    from headgate.v_assets as a
    cross join lateral (
        select count(*) as sessions
        from (
            select t.date
            from equities.prices as t
            where t.asset_id = a.asset_id
                and t.date between (select min(p.session) from past as p) and (select max(p.session) from past as p)
            offset 0
        ) as t
        where t.date in (select p.session from past as p)
    ) as traded
    where a.universe = 'equities'
        and a.group_key = p_group_key
        and a.is_active
        and traded.sessions > 0
        and traded.sessions * 2 >= (select count(*) from past)
        and coalesce(
            (select bool_or(l.valid @> p_session) from equities.listings as l where l.asset_id = a.asset_id), true
        );
$func$;

comment on function equities.expected_bars(text, date) is
    'The listings of an exchange that are expected to trade in a session, and whether each has a bar, believed or not.';
